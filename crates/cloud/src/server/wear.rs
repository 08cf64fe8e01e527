//! What the server writes to its disk, as far as the kernel counts it: an SD card can take only so much.

use std::{fs, os::linux::fs::MetadataExt, path::Path};

use rustix::fs::{major, minor};
use wire::Wear;

use crate::World;

/// The thread on which the database writes.
const DATABASE: &str = "store";
/// A sector of `/sys/dev/block/*/stat`, in bytes, whatever the disk's are.
const SECTOR: u64 = 512;

/// What was written since the daemon began, and to the disk since the machine's start.
pub fn wear(world: &World) -> Wear {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let uptime = read("/proc/uptime");
    let uptime = uptime.split(['.', ' ']).next().and_then(|seconds| seconds.parse().ok());
    Wear {
        seconds: world.began.elapsed().as_secs(),
        server: written(&read("/proc/self/io")),
        database: of_threads(DATABASE),
        uptime: uptime.unwrap_or(0),
        disk: disk(world.dirs.root()),
    }
}

/// Bytes that went towards the disk, without those that were taken back as a file was deleted (proc(5)).
fn written(io: &str) -> Option<u64> {
    let of = |key: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|count| count.trim().parse::<u64>().ok())
    };
    Some(of("write_bytes:")?.saturating_sub(of("cancelled_write_bytes:").unwrap_or(0)))
}

/// The same of the threads of that name.
fn of_threads(name: &str) -> Option<u64> {
    let threads = fs::read_dir("/proc/self/task").ok()?.flatten().map(|thread| thread.path());
    let named =
        |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|found| found.trim() == name);
    let found = threads.filter(|path| named(path));
    let counts = found.filter_map(|path| written(&fs::read_to_string(path.join("io")).ok()?));
    counts.reduce(u64::saturating_add)
}

/// Bytes that all programs wrote to the disk, or the part of one, with this folder. File systems over several disks,
/// and those in memory, have none.
fn disk(folder: &Path) -> Option<u64> {
    let device = fs::metadata(folder).ok()?.st_dev();
    let stat = format!("/sys/dev/block/{}:{}/stat", major(device), minor(device));
    sectors(&fs::read_to_string(stat).ok()?).map(|count| count.saturating_mul(SECTOR))
}

/// The seventh number is that of the sectors that were written (the kernel's `block/stat.rst`).
fn sectors(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_counts_is_read() {
        let io =
            "rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 8192\ncancelled_write_bytes: 4096\n";
        assert_eq!(written(io), Some(4096));
        assert_eq!(written(""), None, "a kernel may not count");
        assert_eq!(sectors("    100 2 300 4 500 6 700 8 0 9 10\n"), Some(700));
        assert_eq!(sectors(""), None);
    }
}
