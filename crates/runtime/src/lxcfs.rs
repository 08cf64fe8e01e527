//! Files of lxcfs that cover those of /proc and /sys, so that `free`, `top` and `nproc` inside show
//! the container's limits and not the machine's.
//!
//! lxcfs is optional and runs on the host. PID 1 binds its files after mounting its own /proc, not
//! the monitor before: covers that the container cannot take off would make the kernel refuse a
//! fresh /proc to its own root as well.

use std::fs;
use std::path::{Path, PathBuf};

/// Where packages mount it: that of Debian and LXD, and that of Incus.
const USUAL: [&str; 2] = ["/var/lib/lxcfs", "/var/lib/incus-lxcfs"];

/// What is covered where lxcfs has it. Older versions have fewer.
const FILES: [&str; 11] = [
    "proc/cpuinfo",
    "proc/diskstats",
    "proc/loadavg",
    "proc/meminfo",
    "proc/pressure/cpu",
    "proc/pressure/io",
    "proc/pressure/memory",
    "proc/slabinfo",
    "proc/stat",
    "proc/swaps",
    "proc/uptime",
];
const CPUS: &str = "sys/devices/system/cpu";

/// One file or folder to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// On the host.
    pub source: PathBuf,
    /// Inside, absolute. It may be missing there (a kernel without swap or pressure files); then
    /// there is nothing to cover.
    pub target: PathBuf,
}

/// The folder of an lxcfs that runs and answers, if there is one.
pub fn find() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    // A dead lxcfs leaves its mount behind, which then answers ENOTCONN.
    mounted(&mounts).into_iter().find(|root| root.join("proc/meminfo").exists())
}

/// What to cover, with the lxcfs at `root` of which `exists` tells what it has.
pub fn covers(root: &Path, exists: impl Fn(&Path) -> bool) -> Vec<Cover> {
    let cpus = [CPUS.to_owned(), format!("{CPUS}/online")];
    // Newer versions serve the whole folder, which this file gives away; older ones one file.
    let whole = exists(&root.join(CPUS).join("uevent"));
    let cpus = if whole { &cpus[0] } else { &cpus[1] };
    let files = FILES.into_iter().chain([cpus.as_str()]);
    files
        .map(|file| Cover { source: root.join(file), target: Path::new("/").join(file) })
        .filter(|cover| exists(&cover.source))
        .collect()
}

/// Mount points of lxcfs in the text of a `mountinfo` file (see proc(5)), the usual ones first.
fn mounted(mountinfo: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = mountinfo.lines().filter_map(mount_point).collect();
    found.sort_by_key(|path| USUAL.iter().position(|usual| path == Path::new(usual)).unwrap_or(9));
    found
}

/// The fifth field, on lines whose file system is lxcfs; the number of fields before the dash varies.
fn mount_point(line: &str) -> Option<PathBuf> {
    let (before, after) = line.split_once(" - ")?;
    let is_lxcfs = after.split(' ').next()? == "fuse.lxcfs";
    is_lxcfs.then(|| before.split(' ').nth(4).map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_ones_are_found_by_their_mounts() {
        let text = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
90 22 0:50 / /opt/lxcfs rw,nosuid shared:9 - fuse.lxcfs lxcfs rw,user_id=0
91 22 0:51 / /var/lib/incus-lxcfs rw,nosuid shared:9 master:2 - fuse.lxcfs lxcfs rw,user_id=0
92 22 0:52 / /var/lib/lxcfs rw,nosuid - fuse.lxcfs lxcfs rw,user_id=0
93 22 0:53 / /mnt/lxcfs rw - fuse.sshfs host:/lxcfs rw
";
        let found = ["/var/lib/lxcfs", "/var/lib/incus-lxcfs", "/opt/lxcfs"];
        assert_eq!(mounted(text), found.map(PathBuf::from));
        assert_eq!(mounted("nonsense\n"), Vec::<PathBuf>::new());
    }

    fn targets(exists: impl Fn(&Path) -> bool) -> Vec<String> {
        let covers = covers(Path::new("/x"), exists);
        covers.iter().map(|cover| cover.target.display().to_string()).collect()
    }

    #[test]
    fn only_what_it_has_is_covered() {
        let has = ["/x/proc/meminfo", "/x/proc/uptime", "/x/sys/devices/system/cpu/online"];
        let seen = targets(|path| has.iter().any(|file| path == Path::new(file)));
        assert_eq!(seen, ["/proc/meminfo", "/proc/uptime", "/sys/devices/system/cpu/online"]);
        assert_eq!(targets(|_| false), Vec::<String>::new());
    }

    #[test]
    fn newer_versions_cover_all_about_processors() {
        let seen = targets(|_| true);
        assert_eq!(seen.last().unwrap(), "/sys/devices/system/cpu");
        assert_eq!(seen.len(), FILES.len() + 1);
        let first = &covers(Path::new("/x"), |_| true)[0];
        assert_eq!(first.source, Path::new("/x/proc/cpuinfo"));
    }
}
