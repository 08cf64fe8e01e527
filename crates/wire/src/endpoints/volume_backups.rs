//! Backups of custom volumes. Who may change the volume may change them.

use crate::{
    Empty,
    Entity::StorageVolume as AVolume,
    Listing, Operation, StorageVolumeBackup, StorageVolumeBackupPost, StorageVolumeBackupsPost,
    endpoints::{
        Permission::Can,
        Verb::{Edit, View},
    },
    query::{ListQuery, TargetQuery},
};

endpoints! {
    /// Lists the backups of a volume, the oldest first.
    VolumeBackupsList: Get "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/backups"
        since "custom_volume_backup", needs Can(View, AVolume),
        Sync, ListQuery, Empty => Listing<StorageVolumeBackup>;

    /// Makes a backup of a volume.
    VolumeBackupCreate: Post "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/backups"
        since "custom_volume_backup", needs Can(Edit, AVolume),
        Async, TargetQuery, StorageVolumeBackupsPost => Operation;

    /// Shows a backup.
    VolumeBackupGet: Get "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/backups/{backupName}"
        since "custom_volume_backup", needs Can(View, AVolume),
        Sync, TargetQuery, Empty => StorageVolumeBackup;

    /// Renames a backup.
    VolumeBackupRename: Post "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/backups/{backupName}"
        since "custom_volume_backup", needs Can(Edit, AVolume),
        Async, TargetQuery, StorageVolumeBackupPost => Operation;

    /// Deletes a backup.
    VolumeBackupDelete: Delete "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/backups/{backupName}"
        since "custom_volume_backup", needs Can(Edit, AVolume),
        Async, TargetQuery, Empty => Operation;

    /// Sends the file of a backup.
    VolumeBackupExport: Get "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/backups/{backupName}/export"
        since "custom_volume_backup", needs Can(Edit, AVolume),
        Raw, TargetQuery, Empty => String;
}
