//! Buckets of a storage pool, and the keys to them. Who may change the bucket may see its keys.

use crate::{
    Empty, Listing, Patch, StorageBucket, StorageBucketKey, StorageBucketKeyPut,
    StorageBucketKeysPost, StorageBucketPut, StorageBucketsPost,
    endpoints::{
        Entity::StorageBucket as ABucket,
        Permission::{Authenticated, Can},
        Verb::{Create, Delete, Edit, View},
    },
    query::{ListQuery, TargetQuery},
};

endpoints! {
    /// Lists the buckets of a pool.
    BucketsList: Get "/1.0/storage-pools/{pool}/buckets" since "storage_buckets", needs Authenticated,
        Sync, ListQuery, Empty => Listing<StorageBucket>;

    /// Makes a bucket, and gives a key to it; of a backup, as an operation.
    BucketCreate: Post "/1.0/storage-pools/{pool}/buckets" since "storage_buckets", needs Can(Create, ABucket),
        Sync, TargetQuery, StorageBucketsPost, + upload => StorageBucketKey;

    /// Shows a bucket.
    BucketGet: Get "/1.0/storage-pools/{pool}/buckets/{bucketName}" since "storage_buckets", needs Can(View, ABucket),
        Sync, TargetQuery, Empty => StorageBucket;

    /// Replaces a bucket's options.
    BucketReplace: Put "/1.0/storage-pools/{pool}/buckets/{bucketName}" since "storage_buckets", needs Can(Edit, ABucket),
        Sync, TargetQuery, StorageBucketPut => Empty;

    /// Changes some of a bucket's options.
    BucketPatch: Patch "/1.0/storage-pools/{pool}/buckets/{bucketName}" since "storage_buckets", needs Can(Edit, ABucket),
        Sync, TargetQuery, Patch<StorageBucketPut> => Empty;

    /// Deletes a bucket with what is in it.
    BucketDelete: Delete "/1.0/storage-pools/{pool}/buckets/{bucketName}" since "storage_buckets", needs Can(Delete, ABucket),
        Sync, TargetQuery, Empty => Empty;

    /// Lists the keys to a bucket.
    BucketKeysList: Get "/1.0/storage-pools/{pool}/buckets/{bucketName}/keys" since "storage_buckets", needs Can(Edit, ABucket),
        Sync, ListQuery, Empty => Listing<StorageBucketKey>;

    /// Makes a key to a bucket.
    BucketKeyCreate: Post "/1.0/storage-pools/{pool}/buckets/{bucketName}/keys" since "storage_buckets", needs Can(Edit, ABucket),
        Sync, TargetQuery, StorageBucketKeysPost => StorageBucketKey;

    /// Shows a key to a bucket.
    BucketKeyGet: Get "/1.0/storage-pools/{pool}/buckets/{bucketName}/keys/{keyName}" since "storage_buckets", needs Can(Edit, ABucket),
        Sync, TargetQuery, Empty => StorageBucketKey;

    /// Replaces a key to a bucket.
    BucketKeyReplace: Put "/1.0/storage-pools/{pool}/buckets/{bucketName}/keys/{keyName}" since "storage_buckets", needs Can(Edit, ABucket),
        Sync, TargetQuery, StorageBucketKeyPut => Empty;

    /// Deletes a key to a bucket.
    BucketKeyDelete: Delete "/1.0/storage-pools/{pool}/buckets/{bucketName}/keys/{keyName}" since "storage_buckets", needs Can(Edit, ABucket),
        Sync, TargetQuery, Empty => Empty;
}
