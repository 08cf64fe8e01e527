//! Lists that are committed: a change must be seen in review. `UPDATE_EXPECT=1` writes them.

use std::collections::BTreeSet;
use std::path::Path;

use super::missing;
use crate::surface::{self, SURFACE};
use crate::{TABLES, metadata};

const HEAD: &str = "# Keys of surface.txt that are not declared, and why (src/tests/missing.rs).
# UPDATE_EXPECT=1 cargo nextest run -p options
";

/// Keys that LXD takes without listing them in its metadata.
const BESIDE_THE_SURFACE: &[&str] = &[
    "instance miscellaneous cluster.spread",
    "instance miscellaneous image.*",
    "instance resource-limits limits.kernel.*",
    "instance snapshots snapshots.retention",
    "instance volatile volatile.<name>.name",
    "instance volatile volatile.last_state.ready",
    "server miscellaneous user.*",
    "storage-btrfs bucket-conf user.*",
    "storage-btrfs pool-conf source.encrypt",
    "storage-btrfs pool-conf user.*",
    "storage-btrfs pool-conf volatile.initial_source",
    "storage-btrfs pool-conf volatile.source.uuid",
    "storage-btrfs pool-conf volatile.uuid",
    "storage-btrfs volume-conf initial.gid",
    "storage-btrfs volume-conf initial.mode",
    "storage-btrfs volume-conf initial.uid",
    "storage-btrfs volume-conf snapshots.retention",
    "storage-btrfs volume-conf user.*",
    "storage-ceph pool-conf user.*",
    "storage-ceph pool-conf volatile.initial_source",
    "storage-ceph pool-conf volatile.uuid",
    "storage-ceph volume-conf initial.gid",
    "storage-ceph volume-conf initial.mode",
    "storage-ceph volume-conf initial.uid",
    "storage-ceph volume-conf snapshots.retention",
    "storage-ceph volume-conf user.*",
    "storage-dir pool-conf user.*",
    "storage-dir pool-conf volatile.initial_source",
    "storage-dir pool-conf volatile.uuid",
    "storage-dir volume-conf initial.gid",
    "storage-dir volume-conf initial.mode",
    "storage-dir volume-conf initial.uid",
    "storage-dir volume-conf snapshots.retention",
    "storage-dir volume-conf user.*",
    "storage-lvm bucket-conf user.*",
    "storage-lvm pool-conf source.encrypt",
    "storage-lvm pool-conf user.*",
    "storage-lvm pool-conf volatile.initial_source",
    "storage-lvm pool-conf volatile.uuid",
    "storage-lvm volume-conf initial.gid",
    "storage-lvm volume-conf initial.mode",
    "storage-lvm volume-conf initial.uid",
    "storage-lvm volume-conf snapshots.retention",
    "storage-lvm volume-conf user.*",
    "storage-zfs bucket-conf user.*",
    "storage-zfs pool-conf source.encrypt",
    "storage-zfs pool-conf user.*",
    "storage-zfs pool-conf volatile.initial_source",
    "storage-zfs pool-conf volatile.source.uuid",
    "storage-zfs pool-conf volatile.uuid",
    "storage-zfs volume-conf initial.gid",
    "storage-zfs volume-conf initial.mode",
    "storage-zfs volume-conf initial.uid",
    "storage-zfs volume-conf snapshots.retention",
    "storage-zfs volume-conf user.*",
];

fn declared() -> BTreeSet<String> {
    let of_table = |table: &crate::Table| {
        let entity = table.entity;
        table.own().into_iter().map(move |opt| format!("{entity} {} {}", opt.group, opt.key))
    };
    TABLES.iter().flat_map(of_table).collect()
}

fn published() -> BTreeSet<String> {
    surface::lines(SURFACE).map(|(entity, group, key)| format!("{entity} {group} {key}")).collect()
}

fn expect(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, text, "{file} is stale: run with UPDATE_EXPECT=1");
}

#[test]
fn not_yet_is_what_is_missing() {
    let (published, declared) = (published(), declared());
    let missing: BTreeSet<String> = published.difference(&declared).cloned().collect();
    let mut text = HEAD.to_owned();
    for (why, keys) in missing::grouped(&missing) {
        text += &format!("\n# {why}\n");
        keys.iter().for_each(|key| text += &format!("{key}\n"));
    }
    expect("not-yet.txt", &text);
}

#[test]
fn keys_of_our_own_are_known() {
    let (published, declared) = (published(), declared());
    let own: Vec<&String> = declared.difference(&published).collect();
    assert_eq!(own, BESIDE_THE_SURFACE.iter().collect::<Vec<_>>());
}

#[test]
fn metadata_is_as_committed() {
    let text = serde_json::to_string_pretty(&metadata()).unwrap();
    expect("metadata.json", &format!("{text}\n"));
}
