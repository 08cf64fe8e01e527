//! Backups of instances. Who may change the instance may change them.

use crate::{
    Empty,
    Entity::Instance as AnInstance,
    InstanceBackup, InstanceBackupPost, InstanceBackupsPost, Listing, Operation,
    endpoints::{
        Permission::Can,
        Verb::{Edit, View},
    },
    query::{ListQuery, ProjectQuery},
};

endpoints! {
    /// Lists the backups of an instance, the oldest first.
    BackupsList: Get "/1.0/instances/{name}/backups" since "container_backup", needs Can(View, AnInstance),
        Sync, ListQuery, Empty => Listing<InstanceBackup>;

    /// Makes a backup of an instance.
    BackupCreate: Post "/1.0/instances/{name}/backups" since "container_backup", needs Can(Edit, AnInstance),
        Async, ProjectQuery, InstanceBackupsPost => Operation;

    /// Shows a backup.
    BackupGet: Get "/1.0/instances/{name}/backups/{backup}" since "container_backup", needs Can(View, AnInstance),
        Sync, ProjectQuery, Empty => InstanceBackup;

    /// Renames a backup.
    BackupRename: Post "/1.0/instances/{name}/backups/{backup}" since "container_backup", needs Can(Edit, AnInstance),
        Async, ProjectQuery, InstanceBackupPost => Operation;

    /// Deletes a backup.
    BackupDelete: Delete "/1.0/instances/{name}/backups/{backup}" since "container_backup", needs Can(Edit, AnInstance),
        Async, ProjectQuery, Empty => Operation;

    /// Sends the file of a backup.
    BackupExport: Get "/1.0/instances/{name}/backups/{backup}/export" since "container_backup",
        needs Can(Edit, AnInstance),
        Raw, ProjectQuery, Empty => String;
}
