//! Mounting into a running container.
//!
//! A mount that is merely moved in could be made writable again by the container's root. One that
//! was copied into a mount namespace of its user namespace is locked. So a child of the monitor
//! mounts it in a namespace of its own, joins the container's user namespace, copies the mount
//! namespace, takes the mount from that copy, and moves it in.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change},
    process::{WaitId, WaitIdOptions, chdir, waitid},
    thread::{
        LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space,
        move_into_thread_name_spaces,
    },
};
use spec::{InstanceSpec, Mount};
use sys::Fork;

use super::{
    disks::{self, Detached},
    gate,
    identity::become_root,
    mounts::{attach, copy, file_system},
    path::make,
};
use crate::error::{At, Result};

/// The container's own file systems may answer late or never.
const PATIENCE: Duration = Duration::from_secs(10);

/// Mounts a disk.
pub(crate) fn mount(spec: &InstanceSpec, pid: i32, disk: &Mount) -> Result<()> {
    let mounts = namespace(pid, "mnt")?;
    let userns = if spec.privileged() { None } else { Some(namespace(pid, "user")?) };
    let userns = userns.as_ref().map(File::as_fd);
    let Some(detached) = disks::take(disk, userns, None)? else { return Ok(()) };
    in_child(|| {
        let mount = match userns {
            None => detached.mount.try_clone().at("open", &disk.source)?,
            Some(userns) => lock(&detached, userns, &spec.run_dir)?,
        };
        move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))
            .at("join", "mount namespace")?;
        let root = disks::open_root(Path::new("/"))?;
        let place =
            make(root.as_fd(), &disk.target, detached.kind).at("make mount point", &disk.target)?;
        attach(mount.as_fd(), place.as_fd()).at("mount", &disk.target)
    })
}

/// Unmounts what is at a path inside; what is in use there goes on using it.
pub(crate) fn unmount(spec: &InstanceSpec, init: BorrowedFd, target: &Path) -> Result<()> {
    in_child(|| {
        let mut joined = ThreadNameSpaceType::MOUNT;
        if !spec.privileged() {
            joined |= ThreadNameSpaceType::USER;
        }
        move_into_thread_name_spaces(init, joined).at("join", "namespaces")?;
        become_root()?;
        let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        match rustix::mount::unmount(target, flags) {
            // Somebody inside did it before us, or its optional source was never there. Or it is
            // locked, as it was there before the user namespace: then it stays until the stop.
            Err(Errno::INVAL | Errno::NOENT) => Ok(()),
            done => done.at("unmount", target),
        }
    })
}

fn namespace(pid: i32, name: &str) -> Result<File> {
    let path = format!("/proc/{pid}/ns/{name}");
    File::open(&path).at("open", &path)
}

/// Copies a mount through the container's user namespace, which the caller then is in, as root.
fn lock(disk: &Detached, userns: BorrowedFd, stage: &Path) -> Result<OwnedFd> {
    let new_mounts = || sys::unshare(libc::CLONE_NEWNS).at("make", "mount namespace");
    new_mounts()?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).at("make private", "/")?;
    let none = MountAttrFlags::empty();
    let tmpfs = file_system("tmpfs", &[("mode", "755")], none).at("make", "stage")?;
    attach(tmpfs.as_fd(), disks::open_root(stage)?.as_fd()).at("mount", stage)?;
    chdir(stage).at("enter", stage)?;
    let here = disks::open_root(Path::new("."))?;
    let name = Path::new("disk");
    let place = make(here.as_fd(), name, disk.kind).at("make", name)?;
    attach(disk.mount.as_fd(), place.as_fd()).at("mount", name)?;
    move_into_link_name_space(userns, Some(LinkNameSpaceType::User))
        .at("join", "user namespace")?;
    new_mounts()?;
    let locked = copy(name, true).at("copy", name)?;
    become_root()?;
    Ok(locked)
}

/// Runs `work` in a child, which may change its namespaces; gives up on one that hangs.
fn in_child(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let (ours, theirs) = gate::links()?;
    let child = sys::fork(&Fork::default(), || theirs.run_first(|| work().map(|()| 0)))
        .at("fork", "child")?;
    let limit = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&child.pidfd, PollFlags::IN)], Some(&limit));
    if ended == Ok(0) {
        let _ = sys::signal_process(child.pidfd.as_fd(), libc::SIGKILL);
    }
    let options = WaitIdOptions::EXITED;
    waitid(WaitId::PidFd(child.pidfd.as_fd()), options).at("wait for", "child")?;
    if ended == Ok(0) {
        return Err(Errno::TIMEDOUT).at("wait for", "mount");
    }
    drop(theirs);
    ours.born().map(drop)
}
