//! What goes into a backup's file: the index, and the files of a volume and its snapshots.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    num::NonZeroU64,
    path::PathBuf,
};

use images::{
    Tarball,
    backup::{INDEX, Index},
};
use rustix::fs::{Advice, fadvise};
use storage::{Attached, Held};

use super::Job;
use crate::{Error, Result, storage::OpenPool};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 20;

/// Bytes after which the disk is given what there is to write, so that the sync at the end is short.
const FLUSH: u64 = 8 << 20;

/// A backup's file while it is written.
pub(crate) type Out<'a> = Tarball<'a, BufWriter<Steady>>;

/// A file that is written to the disk as it grows.
pub(crate) struct Steady {
    file: File,
    written: u64,
    given: u64,
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        let new = self.written - self.given;
        if new >= FLUSH {
            // To drop pages that are dirty, Linux begins to write them, and does not wait.
            let _ = fadvise(&self.file, self.given, NonZeroU64::new(new), Advice::DontNeed);
            self.given = self.written;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A volume or a snapshot of it, to be packed.
pub(crate) struct Part<'a> {
    /// What it is called in the file.
    pub(crate) name: String,
    /// The files or the disk; None where only what lies beside them is packed.
    pub(crate) attached: Option<&'a Attached>,
    /// The folder of what lies beside them.
    pub(crate) beside: PathBuf,
    /// Whether it is the volume as it is now.
    pub(crate) is_now: bool,
}

/// How a volume is packed.
pub(crate) struct Contents<'a> {
    /// The volume's pool.
    pub(crate) pool: &'a OpenPool,
    /// What stands first.
    pub(crate) index: &'a Index,
    /// What the volume and the folder of its snapshots are called.
    pub(crate) names: [&'static str; 2],
    /// Packs one of them.
    pub(crate) part: &'a dyn Fn(&mut Out<'_>, &Part<'_>) -> Result<()>,
}

impl Job {
    /// Writes the file, durably. What goes into it is read and packed as it comes: nothing of it is
    /// held in memory.
    pub(crate) fn file(
        &self,
        index: &Index,
        fill: impl FnOnce(&mut Out<'_>) -> Result<()>,
    ) -> Result<()> {
        let file = File::create(&self.to).map_err(Error::file("create", &self.to))?;
        let steady = Steady { file, written: 0, given: 0 };
        let out = BufWriter::with_capacity(BUFFER, steady);
        let mut tarball = Tarball::new(out, self.packing, "write backup", &self.control)?;
        tarball.text(INDEX, index.text()?.as_bytes())?;
        fill(&mut tarball)?;
        let out = tarball.finish()?.into_inner();
        let steady = out.map_err(|error| Error::file("write", &self.to)(error.into_error()))?;
        steady.file.sync_all().map_err(Error::file("sync", &self.to))
    }

    /// Writes the file of a volume and its snapshots.
    pub(crate) fn volume(&self, contents: &Contents<'_>) -> Result<()> {
        if let Some(states) = self.states(contents)? {
            return self.streams(contents, &states);
        }
        self.file(contents.index, |tarball| {
            self.snapshots(tarball, contents)?;
            let held = Held::volume(&**contents.pool, &self.root)?;
            let [name, _] = contents.names;
            let part = self.part(contents, name.to_owned(), Some(&held.attached), None)?;
            (contents.part)(tarball, &part)
        })
    }

    fn snapshots(&self, tarball: &mut Out<'_>, contents: &Contents<'_>) -> Result<()> {
        let [_, folder] = contents.names;
        if contents.index.snapshots.is_empty() {
            return Ok(());
        }
        tarball.folder(folder)?;
        for name in &contents.index.snapshots {
            let held = Held::snapshot(&**contents.pool, &self.volume, name)?;
            let called = format!("{folder}/{name}");
            let part = self.part(contents, called, Some(&held.attached), Some(name))?;
            (contents.part)(tarball, &part)?;
        }
        Ok(())
    }

    pub(super) fn part<'a>(
        &self,
        contents: &Contents<'_>,
        name: String,
        attached: Option<&'a Attached>,
        snapshot: Option<&str>,
    ) -> Result<Part<'a>> {
        let beside = match (snapshot, contents.pool.snapshots()) {
            (Some(name), Some(snapshots)) => snapshots.folder(&self.volume, name)?,
            // The copy that is read has what lay beside it then.
            _ => contents.pool.folder(&self.root)?,
        };
        Ok(Part { name, attached, beside, is_now: snapshot.is_none() })
    }
}
