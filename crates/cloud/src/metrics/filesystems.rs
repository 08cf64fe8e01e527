//! The room in a container's file systems: its root and its disks, each measured at the host's end. What is
//! mounted inside is left alone: a file system may be served by who is inside, and never answer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use runtime::FileSystem;
use rustix::fs::statvfs;
use spec::Root;

use crate::{
    Result, World,
    blocking::blocking,
    instances::{guests::Guest, options::Typed},
    volumes::attach::plans,
};

pub(super) async fn of(world: &World, guest: &Guest, typed: &Typed) -> Result<Vec<FileSystem>> {
    let root = match &guest.spec().root {
        Root::Dir { path } | Root::Overlay { upper: path, .. } => path.clone(),
    };
    let mut places = vec![(PathBuf::from("/"), root)];
    for (device, plan) in plans(&typed.devices) {
        match plan.resolve(world, guest.project()).await {
            // A source beneath a folder of others may be a link by now.
            Ok(mount) if mount.beneath.is_none() => places.push((mount.target, mount.source)),
            Ok(_) => {}
            Err(error) => tracing::debug!(device, %error, "room of a disk"),
        }
    }
    blocking("measure file systems", move || Ok::<_, crate::Error>(measured(&places))).await
}

/// Of places inside, and where each is on the host.
fn measured(places: &[(PathBuf, PathBuf)]) -> Vec<FileSystem> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts: Vec<Mounted<'_>> = mountinfo.lines().filter_map(Mounted::of).collect();
    places.iter().filter_map(|(inside, source)| measure(&mounts, inside, source)).collect()
}

fn measure(mounts: &[Mounted<'_>], inside: &Path, source: &Path) -> Option<FileSystem> {
    let source = fs::canonicalize(source).ok()?;
    let space = statvfs(&source).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    let mounted = beneath(mounts, &source)?;
    Some(FileSystem {
        device: mounted.device.to_owned(),
        fstype: mounted.kind.to_owned(),
        mountpoint: inside.to_string_lossy().into_owned(),
        available: bytes(space.f_bavail),
        free: bytes(space.f_bfree),
        size: bytes(space.f_blocks),
    })
}

/// The mount that a path is in: the last one of the longest place above it.
fn beneath<'a>(mounts: &'a [Mounted<'a>], path: &Path) -> Option<&'a Mounted<'a>> {
    let above = mounts.iter().filter(|mounted| path.starts_with(mounted.place));
    above.max_by_key(|mounted| mounted.place.len())
}

/// A line of mountinfo (proc(5)).
struct Mounted<'a> {
    place: &'a str,
    kind: &'a str,
    device: &'a str,
}

impl<'a> Mounted<'a> {
    fn of(line: &'a str) -> Option<Mounted<'a>> {
        let (first, rest) = line.split_once(" - ")?;
        let mut rest = rest.split(' ');
        Some(Mounted { place: first.split(' ').nth(4)?, kind: rest.next()?, device: rest.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_in_the_nearest_mount_above_it() {
        let lines = [
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
            "2 1 0:30 / /srv rw - btrfs /dev/sdb rw",
            "3 1 0:31 / /srv rw shared:1 - zfs tank/a rw",
        ];
        let mounts: Vec<_> = lines.iter().filter_map(|line| Mounted::of(line)).collect();
        let of = |path: &str| beneath(&mounts, Path::new(path)).map(|it| (it.kind, it.device));
        assert_eq!(of("/srv/x"), Some(("zfs", "tank/a")));
        assert_eq!(of("/srvx"), Some(("ext4", "/dev/sda1")));
        let found = measured(&[(PathBuf::from("/"), PathBuf::from("/proc/self"))]);
        assert_eq!(found[0].fstype, "proc");
    }
}
