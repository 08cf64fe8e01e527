//! `/dev`: a tmpfs with real nodes, made by the monitor.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Uid, chmodat, chownat, makedev, mkdirat, mknodat,
        openat, symlinkat, unlinkat,
    },
    io::Errno,
    mount::MountAttrFlags,
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
    for folder in node.path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
        if !folder.as_os_str().is_empty() {
            match mkdirat(dev, folder, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error).at("create", folder),
            }
        }
    }
    make_node(dev, node).at("make node", &node.path)
}

/// Removes one; a missing one is no error.
pub(crate) fn remove(dev: BorrowedFd, path: &Path) -> Result<()> {
    match unlinkat(dev, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error).at("remove", path),
    }
}

fn make_node(dev: BorrowedFd, node: &DeviceNode) -> io::Result<()> {
    let kind = match node.kind {
        DeviceKind::Char => FileType::CharacterDevice,
        DeviceKind::Block => FileType::BlockDevice,
    };
    let mode = Mode::from_raw_mode(node.mode & 0o777);
    mknodat(dev, &node.path, kind, mode, makedev(node.major, node.minor))?;
    let (user, group) = (Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)));
    chownat(dev, &node.path, user, group, AtFlags::SYMLINK_NOFOLLOW)?;
    // Some drivers' nodes ignore the mode above if the umask says so; never follow a link here.
    Ok(chmodat(dev, &node.path, mode, AtFlags::empty())?)
}

/// Which of some devices the host has.
pub(crate) fn present(devices: &[(&str, u32, u32)]) -> Vec<PathBuf> {
    devices
        .iter()
        .map(|(path, ..)| PathBuf::from(path))
        .filter(|path| fs::metadata(Path::new("/dev").join(path)).is_ok())
        .collect()
}
