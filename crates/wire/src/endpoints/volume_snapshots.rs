//! Snapshots of custom volumes. Who may change the volume may change them.

use crate::{
    Empty, Listing, Operation, Patch, StorageVolumeSnapshot, StorageVolumeSnapshotPost,
    StorageVolumeSnapshotPut, StorageVolumeSnapshotsPost,
    endpoints::{
        Entity::StorageVolume as AVolume,
        Permission::Can,
        Verb::{Edit, View},
    },
    query::{ListQuery, TargetQuery},
};

endpoints! {
    /// Lists the snapshots of a volume, the oldest first.
    VolumeSnapshotsList: Get "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots"
        since "storage_api_volume_snapshots", needs Can(View, AVolume),
        Sync, ListQuery, Empty => Listing<StorageVolumeSnapshot>;

    /// Takes a snapshot of a volume; instances that have it mounted are paused meanwhile.
    VolumeSnapshotCreate: Post "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots"
        since "storage_api_volume_snapshots", needs Can(Edit, AVolume),
        Async, TargetQuery, StorageVolumeSnapshotsPost => Operation;

    /// Shows a snapshot of a volume.
    VolumeSnapshotGet: Get "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots/{snapshotName}"
        since "storage_api_volume_snapshots", needs Can(View, AVolume),
        Sync, TargetQuery, Empty => StorageVolumeSnapshot;

    /// Changes a snapshot's description, and when it is deleted by itself.
    VolumeSnapshotReplace: Put "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots/{snapshotName}"
        since "storage_api_volume_snapshots", needs Can(Edit, AVolume),
        Sync, TargetQuery, StorageVolumeSnapshotPut => Empty;

    /// Changes a part of a snapshot of a volume.
    VolumeSnapshotPatch: Patch "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots/{snapshotName}"
        since "storage_api_volume_snapshots", needs Can(Edit, AVolume),
        Sync, TargetQuery, Patch<StorageVolumeSnapshotPut> => Empty;

    /// Renames a snapshot of a volume.
    VolumeSnapshotRename: Post "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots/{snapshotName}"
        since "storage_api_volume_snapshots", needs Can(Edit, AVolume),
        Async, TargetQuery, StorageVolumeSnapshotPost => Operation;

    /// Deletes a snapshot of a volume.
    VolumeSnapshotDelete: Delete "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots/{snapshotName}"
        since "storage_api_volume_snapshots", needs Can(Edit, AVolume),
        Async, TargetQuery, Empty => Operation;
}
