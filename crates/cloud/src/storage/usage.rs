//! Room in a storage pool.

use wire::{ResourcesStoragePool, ResourcesStoragePoolInodes, ResourcesStoragePoolSpace};

use crate::{Result, World, blocking::blocking};

/// Bytes and inodes of a pool.
pub async fn usage(world: &World, name: &str) -> Result<ResourcesStoragePool> {
    let pool = world.pools.open(world, name).await?;
    let usage = blocking("look at pool", move || pool.usage()).await?;
    Ok(ResourcesStoragePool {
        space: ResourcesStoragePoolSpace { used: usage.used, total: usage.total },
        inodes: ResourcesStoragePoolInodes { used: usage.inodes_used, total: usage.inodes_total },
    })
}
