//! Backups of buckets, which LXD 5.21 has not: the words are those of its other backups. Who may change the bucket may see its keys, and so its backups.

use crate::{
    Empty,
    Entity::StorageBucket as ABucket,
    Listing, Operation, StorageBucketBackup, StorageBucketBackupPost, StorageBucketBackupsPost,
    endpoints::{
        Permission::Can,
        Verb::{Edit, View},
    },
    query::{ListQuery, TargetQuery},
};

endpoints! {
    /// Lists the backups of a bucket, the oldest first.
    BucketBackupsList: Get "/internal/storage-pools/{pool}/buckets/{bucketName}/backups"
        since "", needs Can(View, ABucket),
        Sync, ListQuery, Empty => Listing<StorageBucketBackup>;

    /// Makes a backup of a bucket.
    BucketBackupCreate: Post "/internal/storage-pools/{pool}/buckets/{bucketName}/backups"
        since "", needs Can(Edit, ABucket),
        Async, TargetQuery, StorageBucketBackupsPost => Operation;

    /// Shows a backup.
    BucketBackupGet: Get "/internal/storage-pools/{pool}/buckets/{bucketName}/backups/{backupName}"
        since "", needs Can(View, ABucket),
        Sync, TargetQuery, Empty => StorageBucketBackup;

    /// Renames a backup.
    BucketBackupRename: Post "/internal/storage-pools/{pool}/buckets/{bucketName}/backups/{backupName}"
        since "", needs Can(Edit, ABucket),
        Async, TargetQuery, StorageBucketBackupPost => Operation;

    /// Deletes a backup.
    BucketBackupDelete: Delete "/internal/storage-pools/{pool}/buckets/{bucketName}/backups/{backupName}"
        since "", needs Can(Edit, ABucket),
        Async, TargetQuery, Empty => Operation;

    /// Sends the file of a backup.
    BucketBackupExport: Get "/internal/storage-pools/{pool}/buckets/{bucketName}/backups/{backupName}/export"
        since "", needs Can(Edit, ABucket),
        Raw, TargetQuery, Empty => String;
}
