#![allow(clippy::unwrap_used, reason = "tests")]

//! A disc read back by its own records; that a kernel mounts it, the lab shows.

use super::super::{LABEL, Seed, items};
use super::*;

fn number(disc: &[u8], at: usize) -> usize {
    u32::from_le_bytes(disc[at..at + 4].try_into().unwrap()) as usize
}

/// Name (of Rock Ridge, or as the record has it), sector and bytes of what is in a folder.
fn listed(disc: &[u8], folder: usize) -> Vec<(String, usize, usize)> {
    let (mut at, mut found) = (folder * SECTOR, Vec::new());
    while disc[at] != 0 {
        let record = &disc[at..at + usize::from(disc[at])];
        let name = &record[33..33 + usize::from(record[32])];
        let rock = record.windows(2).position(|two| two == b"NM");
        let name = match rock {
            Some(at) => record[at + 5..at + usize::from(record[at + 2])].to_vec(),
            None => name.iter().copied().filter(|byte| *byte != 0).collect(),
        };
        let name = String::from_utf8(name).unwrap();
        found.push((name, number(record, 2), number(record, 10)));
        at += record.len();
    }
    found.split_off(2)
}

#[test]
fn what_is_on_a_disc_is_found_by_both_kinds_of_names() {
    let program = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(program.path(), vec![7; 5000]).unwrap();
    let seed = Seed { name: "web", user_data: Some("#!/bin/sh\n"), ..Seed::default() };
    let items = items(&seed, Some(program.path()));
    let mut disc = Vec::new();
    write(LABEL, &items, &mut disc).unwrap();
    assert_eq!(disc.len(), number(&disc, 16 * SECTOR + 80) * SECTOR, "it is as long as it says");
    assert_eq!(&disc[16 * SECTOR + 40..16 * SECTOR + 56], LABEL.as_bytes());
    for descriptor in [16, 17] {
        let root = number(&disc, descriptor * SECTOR + 156 + 2);
        let in_root = listed(&disc, root);
        let find = |list: &[(String, usize, usize)], name: &str| {
            let found = list.iter().find(|(it, _, _)| it == name);
            let (_, sector, bytes) = found.unwrap_or_else(|| panic!("{name} in {list:?}"));
            disc[sector * SECTOR..sector * SECTOR + bytes].to_vec()
        };
        assert_eq!(find(&in_root, "hostname"), b"web\n");
        assert_eq!(find(&in_root, "lxd-agent"), vec![7; 5000]);
        let (_, folder, _) = in_root.iter().find(|(name, _, _)| name == "systemd").unwrap();
        let unit = find(&listed(&disc, *folder), "microcloud-agent.service");
        assert!(unit.starts_with(b"[Unit]"));
        let (_, folder, _) = in_root.iter().find(|(name, _, _)| name == "cloud-init").unwrap();
        assert_eq!(find(&listed(&disc, *folder), "user-data"), b"#!/bin/sh\n");
    }
    let many: Vec<_> = (0..100).map(|n| Item::text(&format!("file-{n}"), "")).collect();
    assert!(write(LABEL, &many, &mut Vec::new()).is_err());
}
