//! Warnings: what the server could not do as asked.

use crate::Timestamp;

api! {
    /// A warning.
    pub struct Warning {
        /// UUID.
        pub uuid: String,
        /// Address of the thing it is about.
        pub entity_url: String,
        /// Project.
        pub project: String,
        /// Member.
        pub location: String,
        /// What kind of trouble.
        pub r#type: String,
        /// `low`, `moderate` or `high`.
        pub severity: String,
        /// `new`, `acknowledged` or `resolved`.
        pub status: String,
        /// How often.
        pub count: i64,
        /// First time.
        pub first_seen_at: Timestamp,
        /// Last time.
        pub last_seen_at: Timestamp,
        /// Text of the last time.
        pub last_message: String,
    }

    /// A warning's changeable part.
    pub struct WarningPut {
        /// `new` or `acknowledged`.
        pub status: String,
    }
}
