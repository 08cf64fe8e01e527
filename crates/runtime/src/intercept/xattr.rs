//! The one extended attribute that unpacking layers of images needs.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{Access, AtFlags, CWD, Mode, OFlags, XattrFlags, accessat, openat, setxattr},
    io::Errno,
    thread::CapabilitySet,
};

use super::{
    caller::Caller,
    clerk::{Office, Outcome, Verdict, by_descriptor, one},
    visit::visit,
};
use crate::seccomp::Kind;

/// What overlayfs marks a folder with that hides what is below it, and its only value that matters.
const OPAQUE: (&[u8], &[u8]) = (b"trusted.overlay.opaque", b"y");

/// Whether a call sets it: all others are the kernel's, and frequent.
pub(super) fn is_opaque(caller: &Caller) -> Result<bool, Errno> {
    let name = caller.text(caller.argument(1))?;
    Ok(name.is_some_and(|name| name.as_bytes() == OPAQUE.0)
        && caller.argument(3) == OPAQUE.1.len() as u64
        && caller.read(caller.argument(2), OPAQUE.1.len())? == OPAQUE.1)
}

/// `setxattr(path or descriptor, name, value, size, flags)`.
pub(super) fn set(office: &Office<'_>, caller: &Caller, kind: Kind) -> Outcome {
    let rights = caller.rights()?;
    let may =
        rights.capabilities.contains(CapabilitySet::SYS_ADMIN) && office.is_its_own(caller)?;
    if !may || !is_opaque(caller)? {
        return Ok(Verdict::Kernel);
    }
    let target = match kind {
        Kind::SetXattrOfOpen => {
            let open = caller.place(caller.int(0))?;
            visit(caller, &rights, || writable(open))
        }
        _ => {
            let path = caller.path(0)?;
            let follow = if kind == Kind::SetXattr { OFlags::empty() } else { OFlags::NOFOLLOW };
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | follow;
            visit(caller, &rights, || writable(openat(CWD, &path, flags, Mode::empty())?))
        }
    };
    // It means something for folders only.
    let target = match target {
        Err(Errno::NOTDIR) => return Ok(Verdict::Kernel),
        target => one(target?)?,
    };
    let flags = XattrFlags::from_bits(caller.int(4) as u32).ok_or(Errno::INVAL)?;
    let name = std::str::from_utf8(OPAQUE.0).map_err(|_| Errno::INVAL)?;
    setxattr(by_descriptor(&target), name, OPAQUE.1, flags).map(|()| Verdict::Done)
}

fn writable(target: OwnedFd) -> Result<Vec<OwnedFd>, Errno> {
    accessat(&target, ".", Access::WRITE_OK, AtFlags::EACCESS)?;
    Ok(vec![target])
}
