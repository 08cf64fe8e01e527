//! Storage volumes. Those of kind `custom` are made and changed here; the others come with instances and images.

use crate::{
    Empty, Listing, Operation, Patch, StorageVolume, StorageVolumePost, StorageVolumePut,
    StorageVolumeState, StorageVolumesPost,
    endpoints::{
        Entity::StorageVolume as AVolume,
        Permission::{Authenticated, Can},
        Verb::{Create, Delete, Edit, View},
    },
    query::{ListQuery, TargetQuery},
};

endpoints! {
    /// Lists the volumes of all pools.
    AllVolumesList: Get "/1.0/storage-volumes" since "storage_volumes_all", needs Authenticated,
        Sync, ListQuery, Empty => Listing<StorageVolume>;

    /// Lists the volumes of a kind of all pools.
    AllVolumesOfKindList: Get "/1.0/storage-volumes/{type}" since "storage_volumes_all", needs Authenticated,
        Sync, ListQuery, Empty => Listing<StorageVolume>;

    /// Lists the volumes of a pool.
    StorageVolumesList: Get "/1.0/storage-pools/{pool}/volumes" since "storage", needs Authenticated,
        Sync, ListQuery, Empty => Listing<StorageVolume>;

    /// Makes a volume of the kind that the body names: at once, or as an operation where it is a copy.
    StorageVolumeMake: Post "/1.0/storage-pools/{pool}/volumes" since "storage", needs Can(Create, AVolume),
        Async, TargetQuery, StorageVolumesPost => Operation;

    /// Lists the volumes of a kind.
    StorageVolumesOfKindList: Get "/1.0/storage-pools/{pool}/volumes/{type}" since "storage", needs Authenticated,
        Sync, ListQuery, Empty => Listing<StorageVolume>;

    /// Makes a volume: at once, or as an operation where it is a copy or made of a file.
    StorageVolumeCreate: Post "/1.0/storage-pools/{pool}/volumes/{type}" since "storage", needs Can(Create, AVolume),
        Async, TargetQuery, StorageVolumesPost, + upload => Operation;

    /// Shows a volume.
    StorageVolumeGet: Get "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}" since "storage",
        needs Can(View, AVolume), Sync, TargetQuery, Empty => StorageVolume;

    /// Replaces a volume's options, or puts it back to a snapshot.
    StorageVolumeReplace: Put "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}" since "storage",
        needs Can(Edit, AVolume), Sync, TargetQuery, StorageVolumePut => Empty;

    /// Changes some of a volume's options.
    StorageVolumePatch: Patch "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}" since "storage",
        needs Can(Edit, AVolume), Sync, TargetQuery, Patch<StorageVolumePut> => Empty;

    /// Renames a volume at once, or moves it to another pool or project as an operation.
    StorageVolumeRename: Post "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}" since "storage",
        needs Can(Edit, AVolume), Async, TargetQuery, StorageVolumePost => Operation;

    /// Deletes a volume that nobody uses, with its snapshots.
    StorageVolumeDelete: Delete "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}" since "storage",
        needs Can(Delete, AVolume), Sync, TargetQuery, Empty => Empty;

    /// Shows how much room a volume takes.
    StorageVolumeStateGet: Get "/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/state" since "storage_volume_state",
        needs Can(View, AVolume), Sync, TargetQuery, Empty => StorageVolumeState;
}
