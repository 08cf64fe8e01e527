//! Backups as no honest tool would write them.

use std::{fs, path::Path};

/// The text of the index of a plain tarball.
pub fn index(tarball: &[u8]) -> String {
    let mut archive = tar::Archive::new(tarball);
    let entries = archive.entries().into_iter().flatten().flatten();
    let mut text = String::new();
    for mut entry in entries {
        if entry.path().is_ok_and(|path| path.ends_with("index.yaml")) {
            drop(std::io::Read::read_to_string(&mut entry, &mut text));
        }
    }
    text
}

/// Writes a backup of an instance: its index, an empty root unless an entry says otherwise, and entries
/// that no honest tool would write (name, target, kind: 0 a file, 1 a hard link, 2 a link).
pub fn evil(file: &Path, index: &str, entries: &[(&str, &str, u8)]) {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, target: &str, kind: tar::EntryType, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(data.len() as u64);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        drop(tar.append(&header, data));
    };
    add("backup/index.yaml", "", tar::EntryType::Regular, index.as_bytes());
    if index.contains("type: container")
        && !entries.iter().any(|(name, ..)| *name == "backup/container/x")
    {
        add("backup/container/rootfs", "", tar::EntryType::Directory, b"");
    }
    for (name, target, kind) in entries {
        let kind = match kind {
            0 => tar::EntryType::Regular,
            1 => tar::EntryType::Link,
            _ => tar::EntryType::Symlink,
        };
        add(name, target, kind, b"");
    }
    let written = tar.into_inner().and_then(|bytes| fs::write(file, bytes));
    written.unwrap_or_else(|e| panic!("cannot write {file:?}: {e}"));
}
