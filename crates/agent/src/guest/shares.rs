//! Folders of the host that are mounted here, each by the tag of its device.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

use hyper::{Request, body::Incoming};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::reply::{self, Refusal, Reply, blocking};
use crate::{limits, words::Share};

/// How often a device that was plugged is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Mounts one; one that is there is fine.
pub(super) async fn put(request: Request<Incoming>) -> Reply {
    let share: Share = reply::read(request).await?;
    blocking(move || {
        if is_mounted(&share) {
            return Ok(());
        }
        let path = share.path.display().to_string();
        let made = fs::create_dir_all(&share.path);
        made.map_err(|error| Refusal::at("make", path.clone(), &error))?;
        let flags = if share.readonly { MountFlags::RDONLY } else { MountFlags::empty() };
        let until = Instant::now() + limits::PLUGGED;
        loop {
            match mount(&share.tag, &share.path, "virtiofs", flags, None) {
                // The kernel knows no such tag: it has not found its device yet.
                Err(Errno::INVAL) if Instant::now() < until => thread::sleep(LOOK),
                mounted => {
                    return mounted.map_err(|error| Refusal::at("mount on", path, &error.into()));
                }
            }
        }
    })
    .await?;
    reply::done()
}

/// Unmounts one; what still uses it keeps it until then.
pub(super) async fn delete(request: Request<Incoming>) -> Reply {
    let share: Share = reply::read(request).await?;
    blocking(move || {
        if !is_mounted(&share) {
            return Ok(());
        }
        let done = unmount(&share.path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        let path = share.path.display().to_string();
        done.map_err(|error| Refusal::at("unmount", path, &io::Error::from(error)))
    })
    .await?;
    reply::done()
}

/// Whether what is mounted last at its path is the share.
fn is_mounted(share: &Share) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let path = share.path.display().to_string();
    let here = |line: &&str| line.split(' ').nth(1).is_some_and(|at| plain(at) == path);
    let last = mounts.lines().rfind(here);
    last.is_some_and(|line| line.split(' ').next().is_some_and(|tag| plain(tag) == share.tag))
}

/// A field of `/proc/mounts` (fstab(5)): spaces and their like are octal there.
fn plain(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |field, (octal, letter)| field.replace(octal, letter))
}
