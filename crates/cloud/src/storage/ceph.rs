//! What the driver `ceph` needs to know of a pool's configuration.

use options::{Options, Raw, ceph::CephPoolOptions};
use storage::{CephOptions, PoolOptions};

use crate::{Error, Result};

/// What names of clusters, users and OSD pools may have beside letters and digits: none of them is a word of a
/// program's, or part of a path.
const BESIDE: &str = "_-.";

pub(super) fn parse(config: &Raw) -> Result<PoolOptions> {
    let options = CephPoolOptions::parse(config)?;
    let names = [
        ("source", options.source.as_deref()),
        ("ceph.cluster_name", Some(&*options.cluster_name)),
        ("ceph.user.name", Some(&*options.user_name)),
        ("ceph.osd.pool_name", options.pool_name.as_deref()),
        ("ceph.osd.data_pool_name", options.data_pool_name.as_deref()),
    ];
    for (key, name) in names {
        name.map_or(Ok(()), |name| check_name(key, name))?;
    }
    let (making, volume_size) = super::making::of_pool(config)?;
    let number = |number: i64| u32::try_from(number).ok();
    let ceph = CephOptions {
        cluster: Some(options.cluster_name),
        user: Some(options.user_name),
        pool: options.pool_name,
        pg_num: number(options.pg_num.get()),
        replicas: options.pool_size.and_then(|size| number(size.get())),
        data_pool: options.data_pool_name,
        reuse: options.force_reuse,
        full_copies: !options.clone_copy,
        no_du: !options.du,
        features: options.features.0.iter().map(ToString::to_string).collect(),
    };
    Ok(PoolOptions { making, volume_size, ceph, ..PoolOptions::default() })
}

fn check_name(key: &'static str, name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || BESIDE.contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() < 100 && name.chars().all(good) {
        return Ok(());
    }
    let why = format!("\"{name}\": letters, digits and {BESIDE}, the first a letter or digit");
    Err(Error::invalid(key, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_ceph_would_take_for_something_else_are_refused() {
        for (key, value) in [
            ("source", "/dev/sda"),
            ("source", "a/b"),
            ("ceph.osd.pool_name", "-a"),
            ("ceph.cluster_name", "../a"),
            ("ceph.user.name", "a b"),
            ("ceph.rbd.features", "flying"),
            ("ceph.osd.pg_num", "0"),
        ] {
            assert!(parse(&Raw::from([(key, value)])).is_err(), "{key}={value}");
        }
    }

    #[test]
    fn what_is_said_is_what_the_driver_is_told() {
        let read = parse(&Raw::from([
            ("ceph.cluster_name", "west"),
            ("ceph.osd.pg_num", "8"),
            ("ceph.osd.pool_size", "2"),
            ("ceph.rbd.clone_copy", "false"),
            ("ceph.rbd.du", "false"),
            ("volume.block.filesystem", "xfs"),
            ("volume.size", "5GiB"),
        ]));
        let read = read.unwrap();
        assert_eq!((read.ceph.pg_num, read.ceph.replicas), (Some(8), Some(2)));
        assert!(read.ceph.full_copies && read.ceph.no_du && !read.ceph.reuse);
        assert_eq!(read.ceph.features, ["layering", "exclusive-lock"]);
        assert_eq!(read.ceph.cluster.as_deref(), Some("west"));
        assert_eq!(read.making.file_system, Some(storage::FileSystem::Xfs));
        assert_eq!(read.volume_size, Some(5 << 30));
    }
}
