//! The server's own database: copies, and going back to one.

use crate::Timestamp;

api! {
    /// The server's database.
    pub struct Database {
        /// Bytes.
        pub size: u64,
        /// Copies that the server keeps itself, the newest first.
        pub copies: Vec<DatabaseCopy>,
        /// Files that were damaged and are set aside, and what that meant.
        pub damaged: Vec<String>,
    }

    /// A copy of the database.
    pub struct DatabaseCopy {
        /// Name.
        pub name: String,
        /// When it was made.
        pub made_at: Timestamp,
        /// Bytes.
        pub size: u64,
    }

    /// Which copy is gone back to, where no backup is sent.
    pub struct DatabaseRestorePost {
        /// Name of the copy.
        pub copy: String,
    }
}
