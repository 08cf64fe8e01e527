//! A root and its metadata as one tarball, the same bytes for the same files.
//!
//! The root may be that of an instance that runs: the walk goes from open folders to plain names, so
//! what its processes do meanwhile cannot lead it out.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use exec::{Control, Progress};
use rustix::fs::{Advice, AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::digest::Hashing;
use crate::error::At;
use crate::{Digest, Error, Metadata, Result};

mod compression;
mod entry;
mod holes;
mod tarball;

pub use compression::{Compression, Packing};
pub use tarball::Tarball;

use entry::Packer;

/// What goes into an image.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// Becomes `metadata.yaml`.
    pub metadata: &'a Metadata,
    /// The folder of templates, if any.
    pub templates: Option<&'a Path>,
    /// The kernel of a machine that boots without firmware, if it brings one.
    pub boot: Option<&'a Path>,
    /// What it is all for.
    pub root: Root<'a>,
}

/// The root in an image.
#[derive(Debug, Clone, Copy)]
pub enum Root<'a> {
    /// A folder of files; may be a link to it.
    Files(&'a Path),
    /// A disk, which is to be in QEMU's format.
    Disk(&'a Path),
}

/// A tarball that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the tarball, in hexadecimal.
    pub fingerprint: String,
    /// Its bytes.
    pub size: u64,
}

/// Writes an image in one file.
pub fn pack(
    contents: &Contents,
    packing: impl Into<Packing>,
    out: impl Write,
    control: &Control,
) -> Result<Packed> {
    let mut digest = Digest::new();
    let out = Hashing { inner: out, digest: &mut digest };
    let mut tarball = Tarball::new(out, packing, "pack image", control)?;
    tarball.text("metadata.yaml", contents.metadata.text()?.as_bytes())?;
    if let Some(templates) = contents.templates {
        tarball.tree(templates, "templates")?;
    }
    if let Some(boot) = contents.boot {
        tarball.tree(boot, "boot")?;
    }
    match contents.root {
        Root::Files(folder) => tarball.tree(folder, "rootfs")?,
        Root::Disk(file) => tarball.whole(file, "rootfs.img")?,
    }
    tarball.finish()?.flush().at("write", "image")?;
    Ok(Packed { fingerprint: digest.fingerprint(), size: digest.bytes() })
}

/// Deeper trees are not packed: two open folders a level.
const DEPTH: usize = 256;

/// Files the disk is asked for before the first of them is read, so that it has more than one to do.
const AHEAD: usize = 64;

/// Bytes of each file that are asked for.
const HEAD: u64 = 1 << 20;

/// Bytes between two reports.
const STEP: u64 = 4 << 20;

struct Walk<'a, W: Write> {
    packer: &'a mut Packer<W>,
    control: &'a Control,
    stage: &'static str,
    reported: &'a mut u64,
}

impl<W: Write> Walk<'_, W> {
    fn folder(&mut self, folder: BorrowedFd, path: &Path, depth: usize) -> Result<()> {
        if depth > DEPTH {
            let source = io::Error::other("nested too deeply");
            return Err(Error::Io { doing: "pack", path: path.to_owned(), source });
        }
        for names in names(folder).at("list", path)?.chunks(AHEAD) {
            ask_for(folder, names);
            for name in names {
                self.control.check()?;
                use std::os::unix::ffi::OsStrExt;
                let path = path.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
                self.entry(folder, name, &path, depth)?;
            }
        }
        if self.packer.bytes() >= *self.reported + STEP {
            *self.reported = self.packer.bytes();
            self.control.report(Progress::bytes(self.stage, *self.reported, None));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        folder: BorrowedFd,
        name: &CString,
        path: &Path,
        depth: usize,
    ) -> Result<()> {
        let stat =
            rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).at("look at", path)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !kind.is_dir() && self.packer.hard_link(path, &stat)? {
            return Ok(());
        }
        match kind {
            FileType::Directory => {
                let sub = open(folder, name, OFlags::DIRECTORY).at("open", path)?;
                self.packer.folder(path, &stat, &sub)?;
                self.folder(sub.as_fd(), path, depth + 1)
            }
            FileType::RegularFile => {
                let file = File::from(open(folder, name, OFlags::NONBLOCK).at("open", path)?);
                let stat = rustix::fs::fstat(&file).at("look at", path)?;
                self.packer.file(path, &stat, file, self.control)
            }
            FileType::Symlink => {
                let to = rustix::fs::readlinkat(folder, name, Vec::new()).at("read link", path)?;
                self.packer.symlink(path, &stat, to.as_bytes())
            }
            FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice => {
                self.packer.node(path, &stat, kind)
            }
            _ => Ok(()), // a socket means nothing without its process
        }
    }
}

fn open(folder: BorrowedFd, name: &CString, more: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Lets the kernel begin to read files. What cannot be asked for is told when it is read.
fn ask_for(folder: BorrowedFd, names: &[CString]) {
    if names.len() < 2 {
        return;
    }
    for name in names {
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_file = |stat: Stat| FileType::from_raw_mode(stat.st_mode).is_file();
        if !stat.is_ok_and(|stat| is_file(stat) && stat.st_size > 0) {
            continue;
        }
        if let Ok(file) = open(folder, name, OFlags::NONBLOCK) {
            let _ = rustix::fs::fadvise(&file, 0, NonZeroU64::new(HEAD), Advice::WillNeed);
        }
    }
}

fn names(folder: BorrowedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// What identifies a file among its names.
fn inode(stat: &Stat) -> (u64, u64) {
    #[allow(clippy::useless_conversion)] // the fields' types differ between architectures
    (u64::from(stat.st_dev), u64::from(stat.st_ino))
}

#[cfg(test)]
mod tests;
