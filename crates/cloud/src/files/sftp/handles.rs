//! What a client has open.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::PathBuf,
    sync::Arc,
};

use runtime::files::{Entry, FileKind, Seen};

use super::super::Session;

/// How many things one client may have open.
const MOST: usize = 512;

/// Something that is open.
pub(super) enum Handle {
    File(Opened),
    /// What of a folder is yet to be told.
    Folder(Vec<Entry>),
}

/// A file that is open.
pub(super) struct Opened {
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    pub(super) writes: bool,
    /// Its own, if what was written takes effect when it is closed.
    pub(super) session: Option<Session>,
}

impl Opened {
    /// What its descriptor says, for one whose name is gone.
    pub(super) fn seen(&self) -> io::Result<Seen> {
        let stat = self.file.metadata()?;
        Ok(Seen {
            kind: FileKind::File,
            uid: 0,
            gid: 0,
            mode: stat.mode(),
            size: stat.len(),
            modified: stat.mtime(),
            accessed: stat.atime(),
        })
    }
}

/// All that are open.
#[derive(Default)]
pub(super) struct Handles {
    open: BTreeMap<u64, Handle>,
    next: u64,
}

impl Handles {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MOST
    }

    /// Its name for the client.
    pub(super) fn add(&mut self, handle: Handle) -> [u8; 8] {
        self.next += 1;
        self.open.insert(self.next, handle);
        self.next.to_be_bytes()
    }

    pub(super) fn get(&mut self, name: &[u8]) -> Option<&mut Handle> {
        self.open.get_mut(&number(name)?)
    }

    pub(super) fn file(&mut self, name: &[u8]) -> Option<&mut Opened> {
        match self.get(name)? {
            Handle::File(opened) => Some(opened),
            Handle::Folder(_) => None,
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Handle> {
        self.open.remove(&number(name)?)
    }
}

fn number(name: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(name.try_into().ok()?))
}

/// As much of a file as there is.
pub(super) fn read(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut block = vec![0; length];
    let mut have = 0;
    while have < length {
        match file.read_at(&mut block[have..], offset + have as u64) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(have);
    Ok(block)
}
