//! The root file system, with the container's ids, on a stage only the monitor sees.
//!
//! A folder is mounted id-mapped. An overlay cannot be id-mapped, but its layers can: they are, and
//! the overlay is mounted over them. It then works with its mounter's credentials, and the host's
//! root has no id in an id-mapped layer, so the container's root has to be the mounter; otherwise
//! the kernel silently makes the overlay read-only.

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::symlink,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstatvfs, openat},
    io::Errno,
    mount::MountAttrFlags,
    process::chdir,
};
use sys::FsIds;

use super::mounts::{attach, copy, file_system, map_ids, map_ids_with_nodes};
use crate::{
    error::{At, Result},
    plan::{Plan, RootPlan},
};

/// Where [`mount`] puts the root: at or below `stage`, a folder that may be covered.
pub(super) fn place(plan: &Plan, stage: &Path) -> PathBuf {
    match plan.root {
        RootPlan::Dir { .. } => stage.to_owned(),
        RootPlan::Overlay { .. } => stage.join("root"),
    }
}

/// Mounts the root.
pub(super) fn mount(plan: &Plan, userns: Option<BorrowedFd>, stage: &Path) -> Result<()> {
    match &plan.root {
        RootPlan::Dir { path } => layer(path, (userns, plan.root_opens_nodes), stage),
        RootPlan::Overlay { lower, common, upper, work } => {
            let none = MountAttrFlags::empty();
            let tmpfs = file_system("tmpfs", &[("mode", "700")], none).at("make", "stage")?;
            put(tmpfs.as_fd(), stage).at("mount", stage)?;
            let mut names = Vec::new();
            for (index, path) in lower.iter().enumerate() {
                let name = format!("l{index}");
                layer(path, (userns, false), &new_folder(stage, &name)?)?;
                names.push(name);
            }
            layer(common, (userns, false), &new_folder(stage, "common")?)?;
            // Links, because in an overlay's options some characters of a path have a meaning.
            for (link, path) in [("upper", upper), ("work", work)] {
                symlink(Path::new("common").join(path), stage.join(link)).at("link", path)?;
            }
            let root = new_folder(stage, "root")?;
            overlay(plan, &names.join(":"), stage, &root).at("mount overlay", common)
        }
    }
}

fn new_folder(stage: &Path, name: &str) -> Result<PathBuf> {
    let path = stage.join(name);
    fs::create_dir(&path).at("create", &path)?;
    Ok(path)
}

fn layer(path: &Path, (userns, opens_nodes): (Option<BorrowedFd>, bool), at: &Path) -> Result<()> {
    let mount = copy(path, false).at("open", path)?;
    if let Some(userns) = userns {
        let map = if opens_nodes { map_ids_with_nodes } else { map_ids };
        map(mount.as_fd(), userns, false).at("map ids of", path)?;
    }
    put(mount.as_fd(), at).at("mount", path)
}

fn put(mount: BorrowedFd, at: &Path) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let place: OwnedFd = openat(CWD, at, flags, Mode::empty())?;
    attach(mount, place.as_fd())
}

fn overlay(plan: &Plan, lower: &str, stage: &Path, root: &Path) -> io::Result<()> {
    // Options have a short limit, and the stage may have a long path.
    chdir(stage)?;
    let mounter = FsIds::act_as(plan.root_id)?;
    let options = [
        ("source", "overlay"),
        ("lowerdir", lower),
        ("upperdir", "upper"),
        ("workdir", "work"),
        ("redirect_dir", "nofollow"),
    ];
    // A device node that a container without a filter finds among its files must open no device.
    let nodev = match plan.root_opens_nodes {
        true => MountAttrFlags::empty(),
        false => MountAttrFlags::MOUNT_ATTR_NODEV,
    };
    let mount = file_system("overlay", &options, nodev);
    drop(mounter);
    chdir("/")?;
    let mount = mount?;
    if fstatvfs(&mount)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(Errno::ROFS.into());
    }
    put(mount.as_fd(), root)
}
