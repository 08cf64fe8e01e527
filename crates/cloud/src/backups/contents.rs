//! What goes into a backup's file: the index, and the files of a volume and its snapshots.

use std::{fs::File, io::BufWriter, path::PathBuf};

use images::{
    Tarball,
    backup::{INDEX, Index},
};
use storage::{Attached, Held};

use super::Job;
use crate::{Error, Result, storage::OpenPool};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 20;

/// A backup's file while it is written.
pub(crate) type Out<'a> = Tarball<'a, BufWriter<File>>;

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
        let out = BufWriter::with_capacity(BUFFER, file);
        let mut tarball = Tarball::new(out, self.packing, "write backup", &self.control)?;
        tarball.text(INDEX, index.text()?.as_bytes())?;
        fill(&mut tarball)?;
        let out = tarball.finish()?.into_inner();
        let file = out.map_err(|error| Error::file("write", &self.to)(error.into_error()))?;
        file.sync_all().map_err(Error::file("sync", &self.to))
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
            let part = self.part(contents, name.to_owned(), Some(&held.attached), true)?;
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
            let part =
                self.part(contents, format!("{folder}/{name}"), Some(&held.attached), false)?;
            (contents.part)(tarball, &part)?;
        }
        Ok(())
    }

    pub(super) fn part<'a>(
        &self,
        contents: &Contents<'_>,
        name: String,
        attached: Option<&'a Attached>,
        is_now: bool,
    ) -> Result<Part<'a>> {
        Ok(Part { name, attached, beside: contents.pool.folder(&self.volume)?, is_now })
    }
}
