//! File systems on disks, and which disk each is on.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{major, minor, statvfs};

use crate::words::Disk;

/// File systems that are told of at most: one who mounts thousands is not listed whole.
pub(super) const MOST: usize = 256;

/// Those of `/proc/self/mountinfo`; of one that is mounted often, the first.
pub(super) fn all(mountinfo: &str) -> Vec<Disk> {
    let mut seen = BTreeSet::new();
    let mounts = mountinfo.lines().filter_map(mount);
    let first = mounts.filter(|disk| seen.insert(disk.source.clone()));
    first.take(MOST).filter_map(measured).collect()
}

/// Of a line (proc(5)); nothing of what is on no disk.
fn mount(line: &str) -> Option<Disk> {
    let (place, rest) = line.split_once(" - ")?;
    let mount = plain(place.split(' ').nth(4)?);
    let mut rest = rest.split(' ');
    let (kind, source) = (rest.next()?.to_owned(), plain(rest.next()?));
    let shared = ["virtiofs", "9p"].contains(&kind.as_str());
    (source.starts_with("/dev/") || shared).then(|| Disk { mount, source, kind, ..Disk::default() })
}

/// Spaces and the like are written as octal numbers.
fn plain(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(code) => {
                out.push(code.into());
                out.push_str(&part[3..]);
            }
            None => out.push_str(part),
        }
    }
    out
}

fn measured(disk: Disk) -> Option<Disk> {
    let space = statvfs(disk.mount.as_str()).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    let serial = serial(&disk.source).unwrap_or_default();
    let used = bytes(space.f_blocks.saturating_sub(space.f_bfree));
    let available = bytes(space.f_bavail);
    Some(Disk { used, available, total: bytes(space.f_blocks), serial, ..disk })
}

fn serial(source: &str) -> Option<String> {
    let device = fs::metadata(source).ok()?.rdev();
    let place = format!("/sys/dev/block/{}:{}", major(device), minor(device));
    let place = fs::canonicalize(place).ok()?;
    // A partition lies in the folder of its disk.
    let whole = if place.join("partition").exists() { place.parent()? } else { &place };
    number(whole)
}

/// Of virtio-blk, of NVMe, of SCSI (a page with a head of four bytes).
fn number(disk: &Path) -> Option<String> {
    let text = |path: PathBuf| fs::read_to_string(path).ok();
    let page = || {
        let bytes = fs::read(disk.join("device/vpd_pg80")).ok()?;
        Some(String::from_utf8_lossy(bytes.get(4..)?).into_owned())
    };
    let found = text(disk.join("serial")).or_else(|| text(disk.join("device/serial")));
    found.or_else(page).map(|serial| serial.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_told_from_what_the_kernel_makes_up() {
        let disk = mount("29 1 8:2 / /mnt/a\\040b rw shared:1 - ext4 /dev/sda2 rw").unwrap();
        assert_eq!((disk.mount.as_str(), disk.source.as_str()), ("/mnt/a b", "/dev/sda2"));
        assert_eq!(mount("30 1 0:5 / /proc rw - proc proc rw"), None);
        let share = mount("31 1 0:9 / /srv rw - virtiofs config rw").unwrap();
        assert_eq!((share.kind.as_str(), share.source.as_str()), ("virtiofs", "config"));
        assert_eq!(plain("odd\\0"), "odd0");
    }
}
