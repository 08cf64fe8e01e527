//! What the driver `zfs` needs to know of a pool's configuration.

use options::{Options, Raw, zfs::ZfsPoolOptions};
use storage::{PoolOptions, ZfsOptions};

use crate::{Error, Result};

/// What names of datasets may have beside letters and digits, by zfs(8); parts with slashes between.
const BESIDE: &str = "_-:.";
/// What a block may be, by zfsprops(7).
const BLOCKS: std::ops::RangeInclusive<u64> = 512..=16 << 20;

pub(super) fn parse(config: &Raw) -> Result<PoolOptions> {
    let options = ZfsPoolOptions::parse(config)?;
    let dataset = config.get("source").filter(|source| !source.starts_with('/'));
    for (key, name) in [("source", dataset), ("zfs.pool_name", options.pool_name.as_deref())] {
        name.map_or(Ok(()), |name| check_name(key, name))?;
    }
    let of = options.volume.dataset;
    let block_size = of.block_size.map(|size| size.0);
    if let Some(size) = block_size
        && !(BLOCKS.contains(&size) && size.is_power_of_two())
    {
        let why = format!("\"{size}\": a power of two from 512 bytes to 16 MiB");
        return Err(Error::invalid("volume.zfs.blocksize", why));
    }
    let zfs = ZfsOptions {
        pool: options.pool_name,
        export: options.export,
        reserve: of.reserve_space,
        block_size,
    };
    let size = options.size.map(|size| size.0);
    Ok(PoolOptions { size, wipe: options.wipe, zfs, ..PoolOptions::default() })
}

fn check_name(key: &'static str, name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || BESIDE.contains(c);
    let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
    if name.len() < 200 && name.chars().all(|c| good(c) || c == '/') && name.split('/').all(part) {
        return Ok(());
    }
    let why = format!("\"{name}\": parts of letters, digits and {BESIDE}, with / between");
    Err(Error::invalid(key, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_zfs_would_take_for_something_else_are_refused() {
        for (key, value) in [
            ("zfs.pool_name", "-a"),
            ("zfs.pool_name", "a@b"),
            ("zfs.pool_name", "a//b"),
            ("source", "a b"),
            ("source", "tank/"),
            ("volume.zfs.blocksize", "3KiB"),
        ] {
            assert!(parse(&Raw::from([(key, value)])).is_err(), "{key}={value}");
        }
        let read = parse(&Raw::from([("source", "tank/cloud"), ("volume.zfs.blocksize", "16KiB")]));
        assert_eq!(read.unwrap().zfs.block_size, Some(16 << 10));
    }
}
