//! What the driver `zfs` needs to know of a pool's configuration.

use options::{
    Options, Raw,
    zfs::{CloneCopy, ZfsPoolOptions},
};
use storage::{Copies, PoolOptions, ZfsOptions};

use crate::{Error, Result};

/// What names of datasets may have beside letters and digits, by zfs(8); parts with slashes between.
const BESIDE: &str = "_-:.";

pub(super) fn parse(config: &Raw) -> Result<PoolOptions> {
    let options = ZfsPoolOptions::parse(config)?;
    let dataset = config.get("source").filter(|source| !source.starts_with('/'));
    for (key, name) in [("source", dataset), ("zfs.pool_name", options.pool_name.as_deref())] {
        name.map_or(Ok(()), |name| check_name(key, name))?;
    }
    let (making, volume_size) = super::making::of_pool(config)?;
    let copies = match options.clone_copy {
        CloneCopy::All => Copies::All,
        CloneCopy::Nothing => Copies::Nothing,
        CloneCopy::Image => Copies::Image,
    };
    let zfs = ZfsOptions { pool: options.pool_name, export: options.export, copies };
    let (size, wipe, encrypt) = (options.size.map(|size| size.0), options.wipe, options.encrypt);
    if encrypt && dataset.is_some() {
        let why = "a dataset is encrypted by whoever makes it: only a disk, or a file of the server's own";
        return Err(Error::invalid("source.encrypt", why));
    }
    Ok(PoolOptions { size, wipe, encrypt, zfs, making, volume_size, ..PoolOptions::default() })
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
        let read = parse(&Raw::from([("source", "tank/cloud"), ("zfs.clone_copy", "rebase")]));
        assert_eq!(read.unwrap().zfs.copies, Copies::Image);
    }
}
