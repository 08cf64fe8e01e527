//! Storage pools.

use crate::{
    Empty, Listing, Operation, Patch, ResourcesStoragePool, StoragePool, StoragePoolPut,
    StoragePoolRekeyPost, StoragePoolUnlockPost, StoragePoolsPost,
    endpoints::{
        Entity::StoragePool as APool,
        Permission::{Authenticated, Can},
        Verb::{Create, Delete, Edit, View},
    },
    query::{ListQuery, TargetQuery},
};

endpoints! {
    /// Lists storage pools.
    StoragePoolsList: Get "/1.0/storage-pools" since "storage", needs Authenticated,
        Sync, ListQuery, Empty => Listing<StoragePool>;

    /// Makes a storage pool.
    StoragePoolCreate: Post "/1.0/storage-pools" since "storage", needs Can(Create, APool),
        Sync, TargetQuery, StoragePoolsPost => Empty;

    /// Shows a storage pool.
    StoragePoolGet: Get "/1.0/storage-pools/{pool}" since "storage", needs Can(View, APool),
        Sync, TargetQuery, Empty => StoragePool;

    /// Replaces a storage pool's options.
    StoragePoolReplace: Put "/1.0/storage-pools/{pool}" since "storage", needs Can(Edit, APool),
        Sync, TargetQuery, StoragePoolPut => Empty;

    /// Changes some of a storage pool's options.
    StoragePoolPatch: Patch "/1.0/storage-pools/{pool}" since "storage", needs Can(Edit, APool),
        Sync, TargetQuery, Patch<StoragePoolPut> => Empty;

    /// Deletes a storage pool that is empty.
    StoragePoolDelete: Delete "/1.0/storage-pools/{pool}" since "storage", needs Can(Delete, APool),
        Sync, TargetQuery, Empty => Empty;

    /// Shows the room in a storage pool.
    StoragePoolResourcesGet: Get "/1.0/storage-pools/{pool}/resources" since "resources", needs Can(View, APool),
        Sync, TargetQuery, Empty => ResourcesStoragePool;

    /// Looks whether all that a storage pool should hold is there and undamaged.
    StoragePoolVerify: Post "/internal/storage-pools/{pool}/verify" since "", needs Can(Edit, APool),
        Async, TargetQuery, Empty => Operation;

    /// Opens an encrypted storage pool whose passphrase is kept nowhere.
    StoragePoolUnlock: Post "/internal/storage-pools/{pool}/unlock" since "", needs Can(Edit, APool),
        Sync, TargetQuery, StoragePoolUnlockPost => Empty;

    /// Gives an encrypted storage pool another key in the place of the one it has.
    StoragePoolRekey: Post "/internal/storage-pools/{pool}/rekey" since "", needs Can(Edit, APool),
        Sync, TargetQuery, StoragePoolRekeyPost => Empty;
}
