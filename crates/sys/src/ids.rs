//! Acting on files as another user without becoming one.

use std::io;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::call::check;

/// While it lives, this thread makes files as another user and group, with all its capabilities.
///
/// An id-mapped mount has no id for the host's root, so what makes files through one (and an
/// overlay, which keeps its mounter's credentials) has to act as the container's root.
#[must_use]
pub struct FsIds {
    _private: (),
}

impl FsIds {
    /// Acts as user and group `id` of the host from now on.
    pub fn act_as(id: u32) -> io::Result<FsIds> {
        FsIds::act_as_user(id, id)
    }

    /// Acts as user `uid` and group `gid` of the host from now on.
    pub fn act_as_user(uid: u32, gid: u32) -> io::Result<FsIds> {
        set(uid, gid);
        let guard = FsIds { _private: () };
        // Leaving user 0 has cleared the capabilities over files; they are still permitted.
        let mut sets = capabilities(None)?;
        sets.effective = sets.permitted;
        set_capabilities(None, sets)?;
        if !capabilities(None)?.effective.contains(CapabilitySet::DAC_OVERRIDE) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(guard)
    }
}

impl Drop for FsIds {
    fn drop(&mut self) {
        set(0, 0);
    }
}

fn set(uid: u32, gid: u32) {
    // SAFETY: both calls take plain integers and change only this thread's credentials. They
    // report no errors; `act_as` checks the effect that matters.
    unsafe {
        libc::syscall(libc::SYS_setfsgid, gid);
        libc::syscall(libc::SYS_setfsuid, uid);
    }
}

/// Leaves the caller's session keyring for a new, empty one.
pub fn join_new_session_keyring() -> io::Result<()> {
    /// `KEYCTL_JOIN_SESSION_KEYRING` of `linux/keyctl.h`.
    const JOIN: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    check(unsafe { libc::syscall(libc::SYS_keyctl, JOIN, std::ptr::null::<libc::c_char>()) })
        .map(drop)
}
