//! Device nodes that harm nobody.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{
        Access, AtFlags, CWD, FileType, Mode, OFlags, accessat, major, makedev, minor, mknodat,
        openat, unlinkat,
    },
    io::Errno,
    process::umask,
    thread::CapabilitySet,
};
use sys::FsIds;

use super::{
    caller::{Caller, Rights},
    clerk::{Outcome, Verdict, errno, one},
    visit::{enter_mounts, visit},
};
use crate::container::mounts::{attach, copy, copy_of};

/// Character devices (numbers from the kernel's list of devices) and where the host has them.
const HARMLESS: [(u32, u32, &str); 6] = [
    (1, 3, "/dev/null"),
    (1, 5, "/dev/zero"),
    (1, 7, "/dev/full"),
    (1, 8, "/dev/random"),
    (1, 9, "/dev/urandom"),
    (5, 0, "/dev/tty"),
];
/// The machine's console; a container's is its own.
const CONSOLE: (u32, u32) = (5, 1);

/// `mknod(path, mode, dev)` with the path relative to what `at` is, and the arguments from `first` on. It is asked about
/// for character devices only.
pub(super) fn mknod(caller: &Caller, at: i32, first: usize) -> Outcome {
    let device = caller.argument(first + 2) & 0xffff_ffff;
    let device = (major(device), minor(device));
    let source = HARMLESS.iter().find(|(major, minor, _)| (*major, *minor) == device);
    let rights = caller.rights()?;
    if source.is_none() && device != CONSOLE || !rights.capabilities.contains(CapabilitySet::MKNOD)
    {
        return Ok(Verdict::Kernel);
    }
    let path = caller.path(first)?;
    let Some(name) = path.file_name().filter(|_| !ends_in_slash(&path)) else {
        return Ok(Verdict::Kernel);
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let base = if path.is_absolute() { None } else { Some(caller.place(at)?) };
    let parent = one(visit(caller, &rights, || look(base.as_ref(), folder))?)?;
    let node = New { parent: parent.as_fd(), name: Path::new(name), mode: caller.int(first + 1) };
    let host = source.map(|(.., path)| Path::new(*path));
    make(caller, &rights, &node, device, host).map(|()| Verdict::Done)
}

fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The folder, if the caller may make something in it.
fn look(base: Option<&OwnedFd>, folder: &Path) -> Result<Vec<OwnedFd>, Errno> {
    let base = base.map_or(CWD, AsFd::as_fd);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = openat(base, folder, flags, Mode::empty())?;
    accessat(&parent, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?;
    Ok(vec![parent])
}

struct New<'a> {
    parent: BorrowedFd<'a>,
    name: &'a Path,
    mode: i32,
}

/// A node where nodes work; else a file that the host's node is mounted on.
fn make(
    caller: &Caller,
    rights: &Rights,
    new: &New<'_>,
    (major, minor): (u32, u32),
    host: Option<&Path>,
) -> Result<(), Errno> {
    let mode = Mode::from_raw_mode(new.mode as u32 & 0o7777);
    let _owner = FsIds::act_as_user(rights.uid, rights.gid).map_err(|_| Errno::PERM)?;
    umask(Mode::from_raw_mode(rights.umask));
    let Some(host) = host else {
        return stand_in(caller, new, mode, None);
    };
    let device = makedev(major, minor);
    match mknodat(new.parent, new.name, FileType::CharacterDevice, mode, device) {
        Ok(()) if works(new) => Ok(()),
        Ok(()) => {
            unlinkat(new.parent, new.name, AtFlags::empty())?;
            stand_in(caller, new, mode, Some(host))
        }
        Err(Errno::PERM) => stand_in(caller, new, mode, Some(host)),
        Err(error) => Err(error),
    }
}

/// A file system that was mounted inside has nodes that open nothing.
fn works(new: &New<'_>) -> bool {
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    !matches!(openat(new.parent, new.name, flags, Mode::empty()), Err(Errno::ACCESS))
}

/// `None` is the container's console.
fn stand_in(caller: &Caller, new: &New<'_>, mode: Mode, host: Option<&Path>) -> Result<(), Errno> {
    let failed = |error: std::io::Error| errno(&error);
    let source = host.map(|path| copy(path, false)).transpose().map_err(failed)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(new.parent, new.name, flags, mode)?;
    let place = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = openat(new.parent, new.name, place, Mode::empty())?;
    enter_mounts(caller)?;
    let source = match source {
        Some(source) => source,
        None => {
            let console = caller.open("root/dev/console", OFlags::PATH | OFlags::NOFOLLOW)?;
            copy_of(console.as_fd()).map_err(failed)?
        }
    };
    attach(source.as_fd(), target.as_fd()).map_err(failed).inspect_err(|_| {
        // Nothing is left of what could not be made whole.
        let _ = unlinkat(new.parent, new.name, AtFlags::empty());
    })
}
