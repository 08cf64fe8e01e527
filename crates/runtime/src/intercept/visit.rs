//! Looking up what the caller names, as the caller.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    io::Errno,
    process::{
        Signal, WaitId, WaitIdOptions, chroot, fchdir, set_parent_process_death_signal, umask,
        waitid,
    },
    thread::{
        CapabilitySet, CapabilitySets, Gid, LinkNameSpaceType, move_into_link_name_space,
        set_capabilities, set_thread_groups,
    },
};
use sys::{Fork, FsIds};

use super::caller::{Caller, Rights, namespace_of};
use crate::protocol::packet;

/// What a visit found, or why it did not.
pub(super) type Found = Result<Vec<OwnedFd>, Errno>;

/// Has a child become the caller: its mounts, its root and working folder, its ids, its capabilities. What `look`
/// opens there is handed back, at most seven descriptors.
pub(super) fn visit(caller: &Caller, rights: &Rights, look: impl FnOnce() -> Found) -> Found {
    let (ours, theirs) = packet::pair().map_err(|_| Errno::NFILE)?;
    let child = sys::fork(&Fork::default(), || {
        let found = become_caller(caller, rights).and_then(|()| look());
        let (code, found) = match &found {
            Ok(found) => (0, found.as_slice()),
            Err(error) => (error.raw_os_error(), [].as_slice()),
        };
        let found: Vec<_> = found.iter().map(AsFd::as_fd).collect();
        i32::from(packet::send(theirs.as_fd(), &code, &found, true).is_err())
    })
    .map_err(|_| Errno::AGAIN)?;
    // Open here, a child that died without a word would be waited for.
    drop(theirs);
    let told = packet::recv::<i32>(ours.as_fd());
    let _ = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
    match told {
        Ok(Some((0, found))) => Ok(found),
        Ok(Some((code, _))) => Err(Errno::from_raw_os_error(code)),
        Ok(None) | Err(_) => Err(Errno::IO),
    }
}

/// Not the process's, only what decides about files: effective ids are left as they are.
fn become_caller(caller: &Caller, rights: &Rights) -> Result<(), Errno> {
    use rustix::fs::OFlags;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let root = caller.open("root", OFlags::PATH)?;
    let here = caller.open("cwd", OFlags::PATH)?;
    let user = caller.open("ns/user", OFlags::RDONLY)?;
    let own = namespace_of(rustix::process::getpid().as_raw_pid(), "user")?;
    enter_mounts(caller)?;
    fchdir(&root)?;
    chroot(".")?;
    fchdir(&here)?;
    let groups: Vec<_> = rights.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    set_thread_groups(&groups)?;
    let ids = FsIds::act_as_user(rights.uid, rights.gid).map_err(|_| Errno::PERM)?;
    // For the rest of this child's life.
    std::mem::forget(ids);
    if caller.namespace("user")? != own {
        move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
    }
    umask(rustix::fs::Mode::from_raw_mode(rights.umask));
    let sets = CapabilitySets {
        effective: rights.capabilities,
        permitted: rights.capabilities,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets)
}

/// Joins the caller's mount namespace; its root is the working folder then.
pub(super) fn enter_mounts(caller: &Caller) -> Result<(), Errno> {
    let mounts = caller.open("ns/mnt", rustix::fs::OFlags::RDONLY)?;
    move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))
}
