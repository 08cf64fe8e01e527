//! A tarball being written: texts, files and trees, one after the other. Images and backups differ
//! in what they put into it.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use exec::{Control, Progress};
use rustix::fs::{CWD, Mode, OFlags};

use super::Walk;
use super::compression::{Encoder, Packing};
use super::entry::Packer;
use crate::Result;
use crate::error::At;

/// A tarball being written. It has an end only after [`Tarball::finish`].
pub struct Tarball<'a, W: Write> {
    packer: Packer<Encoder<W>>,
    control: &'a Control,
    stage: &'static str,
    reported: u64,
}

impl<'a, W: Write> Tarball<'a, W> {
    /// Begins one. `stage` is what a user reads while it is written.
    pub fn new(
        out: W,
        packing: impl Into<Packing>,
        stage: &'static str,
        control: &'a Control,
    ) -> Result<Tarball<'a, W>> {
        let encoder = Encoder::new(out, packing.into()).at("write", stage)?;
        let packer = Packer::new(tar::Builder::new(encoder));
        Ok(Tarball { packer, control, stage, reported: 0 })
    }

    /// Writes a small file of the given text.
    pub fn text(&mut self, name: &str, text: &[u8]) -> Result<()> {
        self.packer.text(name, text)
    }

    /// Writes a small file with the contents of another.
    pub fn file(&mut self, file: &Path, name: &str) -> Result<()> {
        self.packer.text(name, &std::fs::read(file).at("read", file)?)
    }

    /// Writes a folder of root's that holds what follows.
    pub fn folder(&mut self, name: &str) -> Result<()> {
        self.packer.plain_folder(Path::new(name))
    }

    /// Writes a folder, which may be given as a link to it, and all that is in it.
    pub fn tree(&mut self, top: &Path, name: &str) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, top, flags, Mode::empty()).at("open", top)?;
        let stat = rustix::fs::fstat(&fd).at("look at", top)?;
        let path = PathBuf::from(name);
        self.packer.start_tree();
        self.packer.folder(&path, &stat, &fd)?;
        let Tarball { packer, control, stage, reported } = self;
        Walk { packer, control, stage, reported }.folder(fd.as_fd(), &path, 0)
    }

    /// Writes a disk or any other file of the host, leaving out its holes.
    pub fn disk(&mut self, file: &Path, name: &str) -> Result<()> {
        self.open(File::open(file).at("open", file)?, name)
    }

    /// Writes an open disk or file, leaving out its holes.
    pub fn open(&mut self, mut open: File, name: &str) -> Result<()> {
        let file = Path::new(name);
        let mut stat = rustix::fs::fstat(&open).at("look at", file)?;
        // Of a block device the end is known and the size is not.
        let end = open.seek(SeekFrom::End(0)).at("measure", file)?;
        stat.st_size = end.try_into().unwrap_or(i64::MAX);
        self.packer.start_tree();
        self.packer.file(file, &stat, open, self.control)?;
        self.control.report(Progress::bytes(self.stage, self.packer.bytes(), None));
        Ok(())
    }

    /// Writes a file of the host as one of root's, whatever holes it has.
    pub fn whole(&mut self, file: &Path, name: &str) -> Result<()> {
        let open = File::open(file).at("open", file)?;
        let mut stat = rustix::fs::fstat(&open).at("look at", file)?;
        (stat.st_uid, stat.st_gid, stat.st_mtime) = (0, 0, 0);
        self.packer.whole_file(Path::new(name), &stat, open, Vec::new(), self.control)
    }

    /// Writes the end, and gives back what was written to.
    pub fn finish(self) -> Result<W> {
        self.packer.finish()?.finish().at("write", self.stage)
    }
}
