//! Machines that join a cluster by a few words, or have another address than before (`docs/decisions/discovery.md`).

use crate::{
    ClusterNearby, ClusterSession, ClusterWords, ClusterWordsPost, Empty, MovedPut, Operation,
    SessionElement, SessionHello, SessionProof, SessionWelcome,
    endpoints::{
        Entity::Server as TheServer,
        Permission::{Can, Untrusted},
        Verb::Edit,
    },
    query::NoQuery,
};

endpoints! {
    /// Has this member wait for machines that join by words.
    ClusterSessionOpen: Post "/internal/cluster/session" since "", needs Can(Edit, TheServer),
        Sync, NoQuery, Empty => ClusterSession;

    /// Shows the words, and who came.
    ClusterSessionGet: Get "/internal/cluster/session" since "", needs Can(Edit, TheServer),
        Sync, NoQuery, Empty => ClusterSession;

    /// Has this member wait no more.
    ClusterSessionClose: Delete "/internal/cluster/session" since "", needs Can(Edit, TheServer),
        Sync, NoQuery, Empty => Empty;

    /// A guest begins to prove that it knows the words.
    ClusterSessionHello: Post "/internal/cluster/session/hello" since "", needs Untrusted,
        Sync, NoQuery, SessionHello => SessionElement;

    /// A guest proves that it knows the words, and gets its token.
    ClusterSessionProve: Post "/internal/cluster/session/prove" since "", needs Untrusted,
        Sync, NoQuery, SessionProof => SessionWelcome;

    /// Looks for members that wait, for a few seconds.
    ClusterNearbyList: Get "/internal/cluster/nearby" since "", needs Can(Edit, TheServer),
        Sync, NoQuery, Empty => Vec<ClusterNearby>;

    /// Gets this server its token from a member that waits.
    ClusterWordsSay: Post "/internal/cluster/words" since "", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterWordsPost => ClusterWords;

    /// Lists the addresses of this machine by which others may reach it, the best first.
    ClusterAddressesList: Get "/internal/cluster/addresses" since "", needs Can(Edit, TheServer),
        Sync, NoQuery, Empty => Vec<String>;

    /// The member that asks says where it is now.
    ClusterMoved: Put "/internal/cluster/address" since "", needs Untrusted, Sync, NoQuery, MovedPut => Empty;

    /// Says where a member is, when it cannot be found.
    ClusterAddressSet: Put "/internal/cluster/members/{name}/address" since "", needs Can(Edit, TheServer),
        Sync, NoQuery, MovedPut => Empty;

    /// Removes a member that is gone for good, and makes a token for the machine that takes its place.
    ClusterMemberReplaced: Post "/internal/cluster/members/{name}/replace" since "", needs Can(Edit, TheServer),
        Async, NoQuery, Empty => Operation;
}
