//! Trees whose files are a project of the file system's quotas: what they take together is limited.
//!
//! A project is a number, kept with each file and folder; what is made in a folder of a project is of it, too. Every
//! tree gets one of its own, an overlay's work folder that of the tree beside it: nothing can be renamed from one
//! project into another. Numbers are drawn at random where nobody else draws them, and asked for at the files, so that
//! nothing has to be noted.

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::thread::CapabilitySet;
use uuid::Uuid;

use super::build::Build;
use super::layout::{Layout, Place};
use super::trees::{Folders, Trees, Wanted};
use crate::error::At;
use crate::{Content, Result, VolumeId, fallback, fsio};

/// Projects of ours have this bit; those that people number by hand do not.
const OURS: u32 = 1 << 30;
/// What the probe writes, and what it may.
const PROBE: usize = 1 << 20;
const PROBE_LIMIT: u64 = 64 << 10;

/// The kind.
pub(crate) struct Projects;

/// The kind of trees for a pool's file system: projects where they are limited.
pub(super) fn probe(layout: &Layout) -> Result<Arc<dyn Trees>> {
    let build = Build::start(layout, Arc::new(Folders))?;
    let tree = build.place.data();
    let limited = Projects.make(&tree, 0o700, Wanted::default()).and_then(|()| {
        set_limit(&tree, Some(PROBE_LIMIT))?;
        Ok(is_limited(&tree))
    });
    let trees: Arc<dyn Trees> = match limited {
        Ok(true) => Arc::new(Projects),
        // Most file systems have none, or they are not turned on.
        Ok(false) | Err(_) => Arc::new(Folders),
    };
    // What is noted of the probe's project.
    let _ = set_limit(&tree, None);
    Ok(trees)
}

/// Whether more than the limit cannot be written, by somebody whom limits are for.
fn is_limited(tree: &Path) -> bool {
    let file = tree.join("probe");
    let write = move || {
        without_privilege()?;
        let mut file = fs::File::create(file)?;
        file.write_all(&vec![1; PROBE])?;
        file.sync_all()
    };
    // A thread of its own, as what it gives up is gone for good.
    let written = std::thread::spawn(write).join();
    written.is_ok_and(|written: std::io::Result<()>| written.is_err())
}

/// Root of the host may write more than a limit on some file systems; root of a container may not.
pub(crate) fn without_privilege() -> std::io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective -= CapabilitySet::SYS_RESOURCE;
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

impl Trees for Projects {
    fn can_layer(&self) -> bool {
        true
    }

    fn can_limit(&self, _: &Layout) -> Result<bool> {
        Ok(true)
    }

    fn make(&self, path: &Path, mode: u32, _: Wanted<'_>) -> Result<()> {
        fsio::ensure_dir(path, mode)?;
        give(path, free(path)?)
    }

    fn join(&self, path: &Path, tree: &Path) -> Result<()> {
        match project(tree)? {
            0 => Ok(()),
            own => give(path, own),
        }
    }

    fn limit(&self, path: &Path, wanted: Wanted<'_>, _: &VolumeId) -> Result<()> {
        let size = wanted.size;
        if project(path)? == 0 {
            if size.is_none() {
                return Ok(());
            }
            adopt(path)?;
        }
        set_limit(path, size)
    }

    fn used(&self, path: &Path, content: Content) -> Result<Option<u64>> {
        if content.is_disk() {
            return fallback::tree_usage(path);
        }
        match project(path)? {
            0 => fallback::tree_usage(path),
            own => {
                let folder = fsio::open_dir(path)?;
                let usage = sys::project_usage(folder.as_fd(), own).at("measure", path)?;
                Ok(Some(usage.bytes))
            }
        }
    }

    fn remove(&self, folder: &Path) -> Result<()> {
        let place = Place { folder: folder.to_owned() };
        for tree in [place.rootfs(), place.data(), place.upper()] {
            if tree.is_dir() && project(&tree)? & OURS != 0 {
                // Its limit would be noted for ever; a limit that stays does no harm.
                let _ = set_limit(&tree, None);
            }
        }
        fallback::remove_tree(folder)
    }
}

/// The project of a folder; 0 is none.
fn project(path: &Path) -> Result<u32> {
    let folder = fsio::open_dir(path)?;
    sys::project(folder.as_fd()).at("look for the project of", path)
}

fn give(path: &Path, project: u32) -> Result<()> {
    let folder = fsio::open_dir(path)?;
    sys::set_project(folder.as_fd(), project, true).at("set the project of", path)
}

fn set_limit(path: &Path, size: Option<u64>) -> Result<()> {
    let folder = fsio::open_dir(path)?;
    let own = sys::project(folder.as_fd()).at("look for the project of", path)?;
    sys::limit_project(folder.as_fd(), own, size).at("limit the size of", path)
}

/// A project that nothing is of yet.
fn free(path: &Path) -> Result<u32> {
    let folder = fsio::open_dir(path)?;
    loop {
        let (high, _, _, _) = Uuid::new_v4().as_fields();
        let one = OURS | (high & (OURS - 1));
        let usage = sys::project_usage(folder.as_fd(), one).at("look for a project for", path)?;
        if usage.inodes == 0 {
            return Ok(one);
        }
    }
}

/// Makes a tree that was filled otherwise a project, with the work folder beside it.
fn adopt(path: &Path) -> Result<()> {
    let own = free(path)?;
    let work = path.with_file_name("work");
    if work.is_dir() && path.ends_with("upper") {
        give_all(&work, own)?;
    }
    give_all(path, own)
}

/// Gives all files and folders of a tree to a project. What is neither takes no room.
fn give_all(top: &Path, own: u32) -> Result<()> {
    let mut waiting = vec![top.to_owned()];
    while let Some(folder) = waiting.pop() {
        give(&folder, own)?;
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let entry = entry.at("list", &folder)?;
            let kind = entry.file_type().at("look at", entry.path())?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
                let mut open = fs::File::options();
                let open = open.read(true).custom_flags(flags as i32).open(entry.path());
                let file = open.at("open", entry.path())?;
                sys::set_project(file.as_fd(), own, false)
                    .at("set the project of", entry.path())?;
            }
        }
    }
    Ok(())
}
