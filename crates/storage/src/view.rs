//! A volume's files seen as one tree, without mounting it where anybody else could see it.
//!
//! For what the daemon does itself: copies, backups, templates, files pushed into a stopped instance.
//! The mount belongs to the handle and is gone with it. Owners are those on disk, not shifted.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

use crate::error::At;
use crate::{Attached, Error, Result, fsio};

/// What is to be done with the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only read; goes with an instance that runs.
    Read,
    /// Read and write; the instance must not run.
    Write,
}

/// An open volume of files.
#[derive(Debug)]
pub struct View {
    root: OwnedFd,
}

impl View {
    /// Opens what [`crate::Pool::attach`] gave. A disk cannot be opened.
    pub fn open(attached: &Attached, access: Access) -> Result<View> {
        let root = match attached {
            Attached::Path(path) => fsio::open_dir(path)?,
            Attached::Overlay { lower, upper, work } => match access {
                Access::Read => {
                    let layers: Vec<_> = [upper].into_iter().chain(lower).collect();
                    overlay(&layers, None)?
                }
                Access::Write => overlay(&lower.iter().collect::<Vec<_>>(), Some((upper, work)))?,
            },
            Attached::Block(path) => return Err(Error::NotFiles { path: path.clone() }),
        };
        Ok(View { root })
    }

    /// A path to the tree, good while this handle lives. It is a link: do not tell programs that
    /// refuse to follow one.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.root.as_raw_fd()).into()
    }
}

impl AsFd for View {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// Mounts the layers, topmost first, where only the returned handle leads.
fn overlay(lower: &[&PathBuf], upper: Option<(&PathBuf, &PathBuf)>) -> Result<OwnedFd> {
    let first = lower.first().map_or(Path::new(""), |path| path.as_path());
    let mount = || -> rustix::io::Result<OwnedFd> {
        let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(fs.as_fd(), "source", "microcloud")?;
        fsconfig_set_string(fs.as_fd(), "lowerdir", join(lower).as_slice())?;
        match upper {
            Some((upper, work)) => {
                fsconfig_set_string(fs.as_fd(), "upperdir", upper.as_path())?;
                fsconfig_set_string(fs.as_fd(), "workdir", work.as_path())?;
            }
            None => fsconfig_set_flag(fs.as_fd(), "ro")?,
        }
        fsconfig_create(fs.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
        fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    mount().at("mount the layers of", first)
}

/// The layers as overlayfs wants them: colons between, those in names escaped.
fn join(layers: &[&PathBuf]) -> Vec<u8> {
    let mut text = Vec::new();
    for (n, layer) in layers.iter().enumerate() {
        if n > 0 {
            text.push(b':');
        }
        for byte in layer.as_os_str().as_bytes() {
            if matches!(byte, b':' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
    }
    text
}
