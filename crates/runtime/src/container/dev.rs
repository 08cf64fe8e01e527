//! `/dev`: a tmpfs with real nodes, made by the monitor.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chmod, chown, chownat, makedev,
        mkdirat, mknodat, openat, openat2, symlinkat, unlinkat,
    },
    io::Errno,
    mount::MountAttrFlags,
    process::umask,
};
use spec::{DeviceKind, DeviceNode};
use sys::FsIds;

use super::mounts::file_system;
use crate::{
    error::{At, Result},
    plan::Plan,
};

/// Makes it, detached, filled.
pub(super) fn make(plan: &Plan) -> Result<OwnedFd> {
    let id = plan.root_id.to_string();
    let options = [("mode", "755"), ("size", "500k"), ("uid", &id), ("gid", &id)];
    let dev =
        file_system("tmpfs", &options, MountAttrFlags::MOUNT_ATTR_NOSUID).at("make", "/dev")?;
    let _owner = FsIds::act_as(plan.root_id).at("act as root of", "container")?;
    for folder in &plan.dev_folders {
        mkdirat(&dev, folder, Mode::from_raw_mode(0o755)).at("create", folder)?;
    }
    for node in &plan.nodes {
        make_node(dev.as_fd(), node).at("make node", &node.path)?;
    }
    for (link, target) in &plan.links {
        symlinkat(target, &dev, link).at("link", link)?;
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(&dev, "console", flags, Mode::from_raw_mode(0o620)).at("create", "/dev/console")?;
    Ok(dev)
}

/// Adds a node to a `/dev` in use; its path is below it and its owners count as the host's.
pub(crate) fn add(dev: BorrowedFd, root_id: u32, node: &DeviceNode) -> Result<()> {
    let _owner = FsIds::act_as(root_id).at("act as root of", "container")?;
    let folders = node.path.parent().unwrap_or(Path::new(""));
    let mut so_far = PathBuf::new();
    for part in folders {
        let above = folder(dev, &so_far).at("find", &so_far)?;
        so_far.push(part);
        match mkdirat(&above, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).at("create", &so_far),
        }
    }
    let above = folder(dev, folders).at("find", folders)?;
    let name = node.path.file_name().unwrap_or_default();
    let named = DeviceNode { path: name.into(), ..node.clone() };
    make_node(above.as_fd(), &named).at("make node", &node.path)
}

/// A folder below `/dev`. What is in it is the container's to choose: no link of it leads anywhere.
fn folder(dev: BorrowedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(dev, path, flags, Mode::empty(), within)
}

/// Where a path below `/dev` is, and its name there.
fn place(dev: BorrowedFd, path: &Path) -> rustix::io::Result<(OwnedFd, PathBuf)> {
    let above = folder(dev, path.parent().unwrap_or(Path::new("")))?;
    Ok((above, path.file_name().unwrap_or_default().into()))
}

/// A node that is there, to be found again whatever its name is then; `None` if there is none.
pub(crate) fn hold(dev: BorrowedFd, path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (above, name) = place(dev, path).ok()?;
    openat(&above, &name, flags, Mode::empty()).ok()
}

/// Makes a node that is held open nothing for anybody inside, by whatever other name (a hard link) the container's
/// root has kept it: it belongs to a user then that nobody is there.
pub(crate) fn revoke(node: BorrowedFd) -> Result<()> {
    let path = format!("/proc/self/fd/{}", node.as_raw_fd());
    chmod(path.as_str(), Mode::empty()).at("revoke", &path)?;
    chown(path.as_str(), Some(Uid::ROOT), Some(Gid::ROOT)).at("revoke", &path)
}

/// Removes one; a missing one is no error.
pub(crate) fn remove(dev: BorrowedFd, path: &Path) -> Result<()> {
    let removed =
        place(dev, path).and_then(|(above, name)| unlinkat(&above, &name, AtFlags::empty()));
    match removed {
        // A folder on the way that is a link, or none at all, is not where it was made.
        Ok(()) | Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => Ok(()),
        Err(error) => Err(error).at("remove", path),
    }
}

fn make_node(dev: BorrowedFd, node: &DeviceNode) -> io::Result<()> {
    let kind = match node.kind {
        DeviceKind::Char => FileType::CharacterDevice,
        DeviceKind::Block => FileType::BlockDevice,
    };
    let mode = Mode::from_raw_mode(node.mode & 0o777);
    // The mode is right from the first moment on: a name that exists may be a link in the next one.
    let before = umask(Mode::empty());
    let made = mknodat(dev, &node.path, kind, mode, makedev(node.major, node.minor));
    umask(before);
    made?;
    let (user, group) = (Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)));
    Ok(chownat(dev, &node.path, user, group, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Which of some devices the host has.
pub(crate) fn present(devices: &[(&str, u32, u32)]) -> Vec<PathBuf> {
    devices
        .iter()
        .map(|(path, ..)| PathBuf::from(path))
        .filter(|path| fs::metadata(Path::new("/dev").join(path)).is_ok())
        .collect()
}
