//! What the driver `lvm` needs to know of a pool's configuration.

use options::{Options, Raw, lvm::LvmPoolOptions};
use storage::{LvmOptions, PoolOptions};

use crate::{Error, Result};

/// What names of volume groups and thin pools may have beside letters and digits, by lvm(8).
const BESIDE: &str = "+_.-";

pub(super) fn parse(config: &Raw) -> Result<PoolOptions> {
    let options = LvmPoolOptions::parse(config)?;
    let group = config.get("source").filter(|source| !source.starts_with('/'));
    let names = [
        ("source", group),
        ("lvm.vg_name", options.vg_name.as_deref()),
        ("lvm.thinpool_name", Some(&*options.thinpool_name)),
    ];
    for (key, name) in names {
        check_name(key, name.unwrap_or("none"))?;
    }
    let (making, volume_size) = super::making::of_pool(config)?;
    let lvm = LvmOptions {
        group: options.vg_name,
        reuse: options.force_reuse,
        thick: !options.use_thinpool,
        thin_pool: Some(options.thinpool_name),
        thin_pool_metadata: more_than_none(options.thinpool_metadata_size),
    };
    let size = options.size.map(|size| size.0);
    Ok(PoolOptions {
        size,
        wipe: options.wipe,
        encrypt: options.encrypt,
        volume_size,
        making,
        lvm,
        ..PoolOptions::default()
    })
}

fn more_than_none(size: options::Size) -> Option<u64> {
    (size.0 > 0).then_some(size.0)
}

fn check_name(key: &'static str, name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || BESIDE.contains(c);
    let dots = name.chars().all(|c| c == '.');
    if !name.is_empty()
        && !name.starts_with('-')
        && name.len() < 100
        && name.chars().all(good)
        && !dots
    {
        return Ok(());
    }
    let why = format!("\"{name}\": letters, digits and {BESIDE}, and no - at its beginning");
    Err(Error::invalid(key, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lvm_would_take_for_something_else_are_refused() {
        for (key, value) in [
            ("lvm.vg_name", "-a"),
            ("lvm.vg_name", "a/b"),
            ("lvm.thinpool_name", ".."),
            ("source", "a b"),
            ("volume.block.filesystem", "btrfs"),
        ] {
            assert!(parse(&Raw::from([(key, value)])).is_err(), "{key}={value}");
        }
        let read = parse(&Raw::from([
            ("source", "vg0"),
            ("lvm.use_thinpool", "false"),
            ("volume.size", "5GiB"),
            ("volume.lvm.stripes", "2"),
            ("volume.block.filesystem", "xfs"),
        ]));
        let read = read.unwrap();
        assert!(read.lvm.thick && read.making.file_system == Some(storage::FileSystem::Xfs));
        assert_eq!((read.volume_size, read.making.stripes.count), (Some(5 << 30), Some(2)));
    }
}
