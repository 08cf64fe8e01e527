//! A volume's files seen as one tree, without mounting it where anybody else could see it.
//!
//! For what the daemon does itself: copies, backups, templates, files pushed into a stopped instance.
//! The mount belongs to the handle and is gone with it. Owners are those on disk, not shifted.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Uid, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
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
            Attached::Path(path) => folder(path, access)?,
            Attached::Overlay { lower, upper, work } => match access {
                Access::Read => {
                    let layers: Vec<_> = [upper].into_iter().chain(lower).collect();
                    overlay(&layers, &[])?
                }
                Access::Write => writable(lower, upper, work, &[])?,
            },
            Attached::Block(path) => return Err(Error::NotFiles { path: path.clone() }),
        };
        Ok(View { root })
    }

    /// Opens layers to write to that are thrown away after it: closing it does not sync the disk.
    pub(crate) fn open_scratch(lower: &Path, upper: &Path, work: &Path) -> Result<View> {
        let root = writable(&[lower.to_owned()], upper, work, &[("volatile", None)])?;
        Ok(View { root })
    }

    /// A path to the tree, good while this handle lives. It is a link: do not tell programs that
    /// refuse to follow one.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.root.as_raw_fd()).into()
    }
}

impl View {
    /// Opens something inside. Links are followed as the instance would follow them, never out of
    /// its root; use this rather than [`View::path`] for paths that the instance can influence.
    pub fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let flags = flags | OFlags::CLOEXEC;
        openat2(&self.root, path, flags, mode, inside).at("open", path)
    }

    /// The contents of a file; None when there is none.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let file = match self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            other => File::from(other?),
        };
        let mut data = Vec::new();
        (&file).read_to_end(&mut data).at("read", path)?;
        Ok(Some(data))
    }

    /// Writes a whole file with that owner and mode. Its folder must be there.
    pub fn write(&self, path: &Path, data: &[u8], owner: (u32, u32), mode: u32) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK;
        let mut file = File::from(self.open_at(path, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(data).at("write", path)?;
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        rustix::fs::fchown(&file, Some(uid), Some(gid)).at("change the owner of", path)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777)).at("change the mode of", path)
    }
}

impl AsFd for View {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// A mount of a folder of its own, so that reading can be all that is possible.
fn folder(path: &Path, access: Access) -> Result<OwnedFd> {
    let place = fsio::open_dir(path)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(&place, "", flags | OpenTreeFlags::AT_EMPTY_PATH).at("open", path)?;
    if access == Access::Read {
        sys::set_readonly_mount(mount.as_fd()).at("make read-only", path)?;
    }
    Ok(mount)
}

type Setting<'a> = (&'a str, Option<&'a Path>);

fn writable(lower: &[PathBuf], upper: &Path, work: &Path, more: &[Setting]) -> Result<OwnedFd> {
    let own = [("upperdir", Some(upper)), ("workdir", Some(work))];
    overlay(&lower.iter().collect::<Vec<_>>(), &[&own, more].concat())
}

/// Mounts the layers, topmost first, where only the returned handle leads. Without an upper folder
/// the kernel mounts read-only by itself.
fn overlay(lower: &[&PathBuf], settings: &[Setting]) -> Result<OwnedFd> {
    let first = lower.first().map_or(Path::new(""), |path| path.as_path());
    let mount = || -> rustix::io::Result<OwnedFd> {
        let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(fs.as_fd(), "source", "microcloud")?;
        fsconfig_set_string(fs.as_fd(), "lowerdir", join(lower).as_slice())?;
        for (name, value) in settings {
            match value {
                Some(value) => fsconfig_set_string(fs.as_fd(), *name, *value)?,
                None => fsconfig_set_flag(fs.as_fd(), *name)?,
            }
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
