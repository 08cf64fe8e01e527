//! Disks of this machine that nothing seems to use: suggested, never taken.

use std::{fs, path::Path};

/// A disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// Such as `/dev/sda`.
    pub(super) path: String,
    /// Its size.
    pub(super) bytes: u64,
}

/// Kinds of block devices that are no disks: memory, files, and what is made of disks.
const NONE: [&str; 8] = ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"];
/// `size` counts these, whatever the disk's sectors are (sysfs-block(5)).
const SECTOR: u64 = 512;

/// Disks without partitions that nothing is mounted of and nothing else is made of.
pub(super) fn free() -> Vec<Disk> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    found(Path::new("/sys/block"), &format!("{mounts}{swaps}"))
}

fn found(folder: &Path, used: &str) -> Vec<Disk> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut disks: Vec<Disk> = entries.filter_map(|entry| disk(&entry.path(), used)).collect();
    disks.sort_by(|one, other| one.path.cmp(&other.path));
    disks
}

fn disk(folder: &Path, used: &str) -> Option<Disk> {
    let name = folder.file_name()?.to_str()?;
    let number = |file: &str| {
        fs::read_to_string(folder.join(file)).ok().and_then(|text| text.trim().parse::<u64>().ok())
    };
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let partitions = entries(folder).any(|entry| entry.path().join("partition").exists());
    let held = entries(&folder.join("holders")).next().is_some();
    let path = format!("/dev/{name}");
    let mounted = used.lines().any(|line| line.split(' ').next() == Some(path.as_str()));
    let is_one = !NONE.iter().any(|kind| name.starts_with(kind));
    let bytes = number("size")? * SECTOR;
    let writable = number("ro") == Some(0);
    (is_one && writable && bytes > 0 && !partitions && !held && !mounted)
        .then_some(Disk { path, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nothing_uses_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, size: &str, more: &[&str]| {
            let disk = folder.path().join(name);
            fs::create_dir_all(disk.join("holders")).unwrap();
            fs::write(disk.join("size"), size).unwrap();
            fs::write(disk.join("ro"), "0\n").unwrap();
            for entry in more {
                fs::create_dir_all(disk.join(entry)).unwrap();
            }
        };
        make("sda", "2048\n", &["sda1/partition"]);
        make("sdb", "2048\n", &[]);
        make("sdc", "2048\n", &["holders/dm-0"]);
        make("sdd", "0\n", &[]);
        make("sde", "2048\n", &[]);
        make("dm-0", "2048\n", &[]);
        make("nvme0n1", "4096\n", &[]);
        let all = found(folder.path(), "/dev/sde /mnt ext4 rw 0 0\n");
        let want = [("/dev/nvme0n1", 2 << 20), ("/dev/sdb", 1 << 20)];
        assert_eq!(all, want.map(|(path, bytes)| Disk { path: path.to_owned(), bytes }));
    }
}
