//! The lease table on disk: one JSON line a change, written again in short form when it has grown.
//!
//! A torn or foreign line is skipped, so a power cut costs at most the changes since the last
//! [`Unsynced::sync`]; their owners keep their addresses, which follow from the hardware address.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    Error, Result, Table,
    table::{Binding, Change},
};

/// Lines allowed beyond twice the bindings before the file is written anew.
const SLACK: usize = 256;

/// An open journal. One process at a time writes it.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    dirty: bool,
}

impl Journal {
    /// Reads the table and leaves the file in short form, open for appending.
    pub(crate) fn open(dir: &Path) -> Result<(Journal, Table)> {
        let path = dir.join("leases");
        let read = fs::create_dir_all(dir).and_then(|()| match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        });
        let text = read.map_err(|source| failed("read", &path, source))?;
        let changes =
            text.split(|byte| *byte == b'\n').filter_map(|l| serde_json::from_slice(l).ok());
        let table = Table::restore(changes);
        let (file, lines) = rewrite(&path, table.iter())?;
        Ok((Journal { path, file, lines, dirty: false }, table))
    }

    /// Appends what changed.
    pub(crate) fn append(&mut self, changes: &[Change], table: &Table) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.lines + changes.len() > 2 * table.iter().count() + SLACK {
            (self.file, self.lines) = rewrite(&self.path, table.iter())?;
            self.dirty = false;
            return Ok(());
        }
        let mut text = Vec::new();
        changes.iter().try_for_each(|change| line(&mut text, change)).unwrap_or_default();
        if let Err(source) = self.file.write_all(&text) {
            // Half a line may stand there; the next change writes the file anew.
            self.lines = usize::MAX / 2;
            return Err(failed("write", &self.path, source));
        }
        self.lines += changes.len();
        self.dirty = true;
        Ok(())
    }

    /// What is to be forced to disk, so that it survives a power cut; nothing if nothing was
    /// appended. It is apart from the journal, since a slow disk must not keep guests waiting.
    pub(crate) fn unsynced(&mut self) -> Result<Option<Unsynced>> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(None);
        }
        let file = self.file.try_clone().map_err(|source| failed("write", &self.path, source))?;
        Ok(Some(Unsynced { path: self.path.clone(), file }))
    }
}

/// An appended journal, not yet on disk.
pub(crate) struct Unsynced {
    path: PathBuf,
    file: File,
}

impl Unsynced {
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|source| failed("write", &self.path, source))
    }
}

fn rewrite<'a>(path: &Path, bindings: impl Iterator<Item = &'a Binding>) -> Result<(File, usize)> {
    let whole = || -> io::Result<(File, usize)> {
        let next = path.with_extension("new");
        let mut out = BufWriter::new(File::create(&next)?);
        let mut lines = 0;
        for binding in bindings {
            line(&mut out, &Change::Put(binding.clone()))?;
            lines += 1;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&next, path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok((OpenOptions::new().append(true).open(path)?, lines))
    };
    whole().map_err(|source| failed("rewrite", path, source))
}

fn line(out: &mut impl Write, change: &Change) -> io::Result<()> {
    serde_json::to_writer(&mut *out, change)?;
    out.write_all(b"\n")
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Journal { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MacAddr, table::Client};

    fn bind(table: &mut Table, last: u8, expires: u64) {
        let client = Client::Mac(MacAddr([0, 0x16, 0x3e, 0, 0, last]));
        let address = std::net::IpAddr::from([10, 1, 2, last]);
        table.bind(Binding { address, client, expires, hostname: Some("c1".into()) }, 0);
    }

    #[test]
    fn leases_survive_a_restart_and_a_torn_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, mut table) = Journal::open(dir.path()).unwrap();
        bind(&mut table, 7, 100);
        bind(&mut table, 8, 200);
        journal.append(&table.take_changes(), &table).unwrap();
        journal.unsynced().unwrap().unwrap().sync().unwrap();
        assert!(journal.unsynced().unwrap().is_none());
        let path = dir.path().join("leases");
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"put\":{\"address\":\"10.1.2");
        fs::write(&path, torn).unwrap();

        let (_, again) = Journal::open(dir.path()).unwrap();
        assert!(again.iter().eq(table.iter()));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn the_file_does_not_grow_with_every_renewal() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, mut table) = Journal::open(dir.path()).unwrap();
        for round in 0..2000 {
            bind(&mut table, 7, round);
            journal.append(&table.take_changes(), &table).unwrap();
        }
        let text = fs::read_to_string(dir.path().join("leases")).unwrap();
        assert!(text.lines().count() < 300, "{}", text.lines().count());
        let (_, again) = Journal::open(dir.path()).unwrap();
        assert!(again.iter().eq(table.iter()));
    }
}
