//! By what a btrfs is known whatever its disk is called: the UUID in its superblock.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::At;
use crate::{Error, Result, disks};

/// Where the first superblock lies (`BTRFS_SUPER_INFO_OFFSET`).
const AT: u64 = 64 << 10;
/// `fsid` and `magic` of `struct btrfs_super_block`, linux/btrfs_tree.h.
const UUID: std::ops::Range<usize> = 0x20..0x30;
const MAGIC: std::ops::Range<usize> = 0x40..0x48;

/// The UUID of the file system in a file or on a disk; None when there is no btrfs in it.
pub(super) fn uuid(path: &Path) -> Result<Option<Uuid>> {
    let mut block = [0; MAGIC.end];
    let disk = File::open(path).at("open", path)?;
    match disk.read_exact_at(&mut block, AT) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other.at("read", path)?,
    }
    let found = &block[MAGIC] == b"_BHRfS_M";
    Ok(found.then(|| Uuid::from_slice(&block[UUID]).ok()).flatten())
}

/// The disk with that file system: the one it was on, or another that has it now.
pub(super) fn find(usual: &Path, wanted: Uuid) -> Result<PathBuf> {
    let has = |path: &Path| uuid(path).is_ok_and(|found| found == Some(wanted));
    disks::find(usual, has)?.ok_or_else(|| Error::Source {
        path: usual.to_owned(),
        why: "no disk of this machine has the pool's file system",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_btrfs_has_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(uuid(file.path()).unwrap(), None);
        file.as_file().set_len(256 << 20).unwrap();
        assert_eq!(uuid(file.path()).unwrap(), None);
        if !exec::installed(exec::mkfs_btrfs::PROGRAM) {
            return eprintln!("SKIP: mkfs.btrfs is not installed");
        }
        let wanted = Uuid::new_v4();
        let old = exec::mkfs_btrfs::Old::Keep;
        exec::mkfs_btrfs::make(file.path(), "a", Some(&wanted.to_string()), old).unwrap();
        assert_eq!(uuid(file.path()).unwrap(), Some(wanted));
        assert_eq!(find(file.path(), wanted).unwrap(), file.path());
        let other = find(file.path(), Uuid::new_v4());
        assert!(matches!(other, Err(Error::Source { .. })), "{other:?}");
    }
}
