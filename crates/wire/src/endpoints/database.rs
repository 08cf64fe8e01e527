//! The server's own database. LXD has nothing like it: its addresses are ours.

use crate::{
    Database, DatabaseRestorePost, Empty,
    endpoints::{Entity::Server as TheServer, Permission::Can, Verb::Edit},
    query::TargetQuery,
};

endpoints! {
    /// Tells how large the database is, and which copies of it there are.
    DatabaseGet: Get "/internal/database" since "", needs Can(Edit, TheServer), Sync, TargetQuery, Empty => Database;

    /// Sends a backup of the database with certificates and keys, while all goes on.
    DatabaseBackup: Get "/internal/database/backup" since "", needs Can(Edit, TheServer), Raw, TargetQuery, Empty => String;

    /// Goes back to a backup, or to a copy that the server keeps; the server begins anew with it.
    DatabaseRestore: Post "/internal/database/restore" since "", needs Can(Edit, TheServer),
        Raw, TargetQuery, DatabaseRestorePost, + upload => Empty;
}
