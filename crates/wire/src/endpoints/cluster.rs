//! The cluster and its members; and beneath `/internal` what members say to each other.

use crate::{
    Cluster, ClusterInstancesPost, ClusterInstancesPut, ClusterMember, ClusterMemberPost,
    ClusterMemberPut, ClusterMemberStatePost, ClusterMembersPost, ClusterPut, Empty, JoinPost,
    Joined, Listing, Operation, Patch,
    endpoints::{
        Entity::Server as TheServer,
        Permission::{Can, Untrusted},
        Verb::{Edit, View},
    },
    query::{ListQuery, NoQuery, RemoveQuery},
};

endpoints! {
    /// Shows whether the server is in a cluster.
    ClusterGet: Get "/1.0/cluster" since "clustering", needs Can(View, TheServer), Sync, NoQuery, Empty => Cluster;

    /// Makes the server the first member of a cluster, or has it join one.
    ClusterReplace: Put "/1.0/cluster" since "clustering", needs Can(Edit, TheServer),
        Async, NoQuery, ClusterPut => Operation;

    /// Lists members.
    ClusterMembersList: Get "/1.0/cluster/members" since "clustering", needs Can(View, TheServer),
        Sync, ListQuery, Empty => Listing<ClusterMember>;

    /// Makes a token with which a server joins.
    ClusterMemberCreate: Post "/1.0/cluster/members" since "clustering_join_token", needs Can(Edit, TheServer),
        Async, NoQuery, ClusterMembersPost => Operation;

    /// Shows a member.
    ClusterMemberGet: Get "/1.0/cluster/members/{name}" since "clustering", needs Can(View, TheServer),
        Sync, NoQuery, Empty => ClusterMember;

    /// Replaces what can be changed of a member.
    ClusterMemberReplace: Put "/1.0/cluster/members/{name}" since "clustering_edit_roles", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterMemberPut => Empty;

    /// Changes some of what can be changed of a member.
    ClusterMemberPatch: Patch "/1.0/cluster/members/{name}" since "clustering_edit_roles", needs Can(Edit, TheServer),
        Sync, NoQuery, Patch<ClusterMemberPut> => Empty;

    /// Renames a member.
    ClusterMemberRename: Post "/1.0/cluster/members/{name}" since "clustering", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterMemberPost => Empty;

    /// Removes a member.
    ClusterMemberDelete: Delete "/1.0/cluster/members/{name}" since "clustering", needs Can(Edit, TheServer),
        Sync, RemoveQuery, Empty => Empty;

    /// Lets a server in that brings a token.
    ClusterJoin: Post "/internal/cluster/join" since "", needs Untrusted, Sync, NoQuery, JoinPost => Joined;

    /// Gives a member that was let in all that is in the database.
    ClusterBegin: Post "/internal/cluster/begin" since "", needs Untrusted, Sync, NoQuery, Empty => Empty;

    /// Tells a member that it is one no more.
    ClusterLeave: Post "/internal/cluster/leave" since "", needs Untrusted, Sync, NoQuery, Empty => Empty;

    /// Empties a member for maintenance, or brings back what was there.
    ClusterMemberStateSet: Post "/1.0/cluster/members/{name}/state" since "clustering_evacuation",
        needs Can(Edit, TheServer), Async, NoQuery, ClusterMemberStatePost => Operation;

    /// Gives an instance to the member that asks.
    ClusterInstanceReturn: Put "/internal/cluster/instances" since "", needs Untrusted,
        Async, NoQuery, ClusterInstancesPut => Operation;

    /// Waits for an instance of another member.
    ClusterInstanceReceive: Post "/internal/cluster/instances" since "", needs Untrusted,
        Async, NoQuery, ClusterInstancesPost => Operation;

    /// The connection between two members' databases.
    ClusterStore: Get "/internal/cluster/store" since "", needs Untrusted, Raw, NoQuery, Empty => Empty;
}
