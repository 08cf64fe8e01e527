//! Machines that join a cluster by a few words, or have another address than before: what an administrator sees of it, and what the two machines say to
//! each other.

use crate::{ClusterMemberConfigKey, Timestamp};

api! {
    /// A member waits for machines that join, and shows the words by which they do.
    pub struct ClusterSession {
        /// The words, to be typed at each machine that joins.
        pub words: String,
        /// The member that waits.
        pub server_name: String,
        /// Where it is, `host:port`.
        pub address: String,
        /// SHA-256 of the certificate that it shows, in hex.
        pub fingerprint: String,
        /// Whether it is found on its network (mDNS); otherwise its address must be told.
        pub announced: bool,
        /// When it ends by itself.
        pub expires_at: Timestamp,
        /// How often wrong words were tried.
        pub wrong: u32,
        /// After how many of them it ends.
        pub most_wrong: u32,
        /// Who came, first come first.
        pub guests: Vec<ClusterGuest>,
        /// Why it waits no more; empty while it does.
        pub ended: String,
    }

    /// A machine that knew the words.
    pub struct ClusterGuest {
        /// The name that it is to have.
        pub server_name: String,
        /// Where it came from.
        pub from: String,
        /// SHA-256 of its own certificate, in hex.
        pub fingerprint: String,
        /// `invited`, `joining` or `member`.
        pub status: String,
    }

    /// A member that waits, as others find it on their network. Nothing of it is proved.
    pub struct ClusterNearby {
        /// Its name.
        pub server_name: String,
        /// Where it is, `host:port`.
        pub address: String,
    }

    /// This server is to get its token from a member that waits, by the words that this one shows.
    pub struct ClusterWordsPost {
        /// Where the member is, `host` or `host:port`.
        pub address: String,
        /// The words.
        pub words: String,
        /// The name that this server is to have.
        pub server_name: String,
    }

    /// What the member gave it.
    pub struct ClusterWords {
        /// The token to join with.
        pub cluster_token: String,
        /// The member's name.
        pub server_name: String,
        /// SHA-256 of the certificate that it shows, in hex; it is the same that the member has.
        pub fingerprint: String,
        /// SHA-256 of this server's own certificate, in hex, which the member has seen.
        pub own_fingerprint: String,
        /// Keys that each member has its own value of.
        pub member_config: Vec<ClusterMemberConfigKey>,
    }

    /// A guest begins to prove that it knows the words (between machines only).
    pub struct SessionHello {
        /// Its element of the exchange, in base64.
        pub element: String,
    }

    /// The member's answer.
    pub struct SessionElement {
        /// The number of the exchange.
        pub exchange: String,
        /// The member's element, in base64.
        pub element: String,
    }

    /// The guest proves it (between machines only).
    pub struct SessionProof {
        /// The number of the exchange.
        pub exchange: String,
        /// The name that it is to have.
        pub server_name: String,
        /// Proof that it knows the words and says this name, in base64.
        pub proof: String,
    }

    /// The member lets it in, and proves that it knows the words, too.
    pub struct SessionWelcome {
        /// Proof that it knows the words and gives this token, in base64.
        pub proof: String,
        /// The token.
        pub cluster_token: String,
        /// The member's name.
        pub server_name: String,
        /// Keys that each member has its own value of.
        pub member_config: Vec<ClusterMemberConfigKey>,
    }

    /// Where a member is now.
    pub struct MovedPut {
        /// Its address, `host:port`.
        pub address: String,
    }
}
