//! What configuration says of how volumes are made: a volume's own, or a pool's for those that say nothing.

use options::{AnyVolumeOptions, Options, Raw, lvm::BlockFileSystem};
use storage::{FileSystem, Making, Stripes};

use crate::{Error, Result};

/// What a block of ZFS may be, by zfsprops(7).
const BLOCKS: std::ops::RangeInclusive<u64> = 512..=16 << 20;

/// What volumes of a pool are like that say nothing.
pub(super) fn of_pool(config: &Raw) -> Result<(Making, Option<u64>)> {
    let volume: Raw = config.under("volume.").iter().collect();
    let typed = AnyVolumeOptions::parse(&volume)?;
    let size = typed.common.size.map(|size| size.0).filter(|size| *size > 0);
    Ok((of_volume(&volume, &typed)?, size))
}

/// What a volume says. Where it does not say a thing, that is the pool's choice, and not what is usual.
pub(crate) fn of_volume(config: &Raw, typed: &AnyVolumeOptions) -> Result<Making> {
    let AnyVolumeOptions { block, stripes, dataset, .. } = typed;
    let said = |key: &str, value: bool| config.has(key).then_some(value);
    let block_size = dataset.block_size.map(|size| size.0);
    if let Some(size) = block_size
        && !(BLOCKS.contains(&size) && size.is_power_of_two())
    {
        let why = format!("\"{size}\": a power of two from 512 bytes to 16 MiB");
        return Err(Error::invalid("zfs.blocksize", why));
    }
    let file_system = match block.filesystem {
        BlockFileSystem::Ext4 => FileSystem::Ext4,
        BlockFileSystem::Xfs => FileSystem::Xfs,
    };
    Ok(Making {
        file_system: config.has("block.filesystem").then_some(file_system),
        mount_options: config.has("block.mount_options").then(|| block.mount_options.clone()),
        stripes: Stripes {
            count: (stripes.count > 0).then_some(stripes.count),
            size: (stripes.size.0 > 0).then_some(stripes.size.0),
        },
        block_mode: said("zfs.block_mode", dataset.block_mode),
        block_size,
        reserve: said("zfs.reserve_space", dataset.reserve_space),
        files_only: said("zfs.use_refquota", dataset.use_refquota),
        delegate: said("zfs.delegate", dataset.delegate),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_left_to_the_pool() {
        let pool = Raw::from([
            ("volume.zfs.block_mode", "true"),
            ("volume.block.filesystem", "xfs"),
            ("volume.zfs.blocksize", "16KiB"),
            ("volume.size", "2GiB"),
            ("zfs.clone_copy", "false"),
        ]);
        let (making, size) = of_pool(&pool).unwrap();
        assert_eq!((making.block_mode, making.block_size), (Some(true), Some(16 << 10)));
        assert_eq!((making.file_system, size), (Some(FileSystem::Xfs), Some(2 << 30)));
        assert_eq!((making.mount_options, making.reserve, making.files_only), (None, None, None));
        let odd = Raw::from([("volume.zfs.blocksize", "3KiB")]);
        assert!(of_pool(&odd).is_err());
    }
}
