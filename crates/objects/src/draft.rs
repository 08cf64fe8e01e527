//! Contents that are being written. Small ones stay in memory; the others go to a file as they come.

use std::fs::File;
use std::io::Write;

use crate::blob::Blobs;
use crate::error::At;
use crate::hash::Hash;
use crate::{Error, Result, Store};

/// Bytes up to which contents are kept in the index: one sync makes them durable instead of three.
const SMALL: usize = 16 << 10;

/// Contents that are being written. Dropped unfinished, they are gone.
#[derive(Debug)]
pub struct Draft {
    blobs: Blobs,
    most: usize,
    held: Held,
    size: u64,
    md5: Hash,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File(File, Owned),
}

/// A blob that goes when this is dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct Owned {
    blobs: Blobs,
    blob: Option<String>,
}

impl Owned {
    pub(crate) fn new(blobs: &Blobs, blob: String) -> Owned {
        Owned { blobs: blobs.clone(), blob: Some(blob) }
    }

    pub(crate) fn name(&self) -> &str {
        self.blob.as_deref().unwrap_or_default()
    }

    /// The index has it now.
    pub(crate) fn keep(mut self) {
        if let Some(blob) = self.blob.take()
            && let Err(error) = self.blobs.settle(&blob)
        {
            // It is found where it is, and settled at the next open.
            tracing::warn!(%error, "contents stay where they were written");
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(blob) = self.blob.take() {
            // What cannot be removed goes at the next open.
            let _ = self.blobs.remove(&blob);
        }
    }
}

/// Contents that are whole and on disk, or small. Dropped without a name, they are gone.
#[derive(Debug)]
pub struct Written {
    pub(crate) contents: Contents,
    pub(crate) size: u64,
    pub(crate) etag: String,
}

/// Where they are.
#[derive(Debug)]
pub(crate) enum Contents {
    Small(Vec<u8>),
    Blobs(Vec<(Owned, u64)>),
}

impl Written {
    /// MD5 in hexadecimal.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Store {
    /// Begins contents of an object.
    pub fn draft(&self) -> Draft {
        self.draft_of(SMALL)
    }

    /// Begins contents of a part.
    pub fn draft_part(&self) -> Draft {
        self.draft_of(0)
    }

    fn draft_of(&self, most: usize) -> Draft {
        let (held, md5) = (Held::Memory(Vec::new()), Hash::new());
        Draft { blobs: self.blobs().clone(), most, held, size: 0, md5 }
    }
}

impl Draft {
    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.md5.update(self.size, bytes);
        self.size += bytes.len() as u64;
        if let Held::Memory(held) = &mut self.held {
            if held.len() + bytes.len() <= self.most {
                held.extend_from_slice(bytes);
                return Ok(());
            }
            let before = std::mem::take(held);
            self.begin_file(&before)?;
        }
        self.append(bytes)
    }

    fn begin_file(&mut self, before: &[u8]) -> Result<()> {
        let (blob, file) = self.blobs.create()?;
        self.held = Held::File(file, Owned::new(&self.blobs, blob));
        self.append(before)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.held {
            Held::File(file, owned) => {
                file.write_all(bytes).at("write", self.blobs.new_place(owned.name()))
            }
            Held::Memory(_) => Ok(()),
        }
    }

    /// Makes them durable, all but small ones: those are when they get their name.
    pub fn finish(mut self) -> Result<Written> {
        if self.most == 0 && matches!(self.held, Held::Memory(_)) {
            self.begin_file(&[])?;
        }
        let contents = match self.held {
            Held::Memory(bytes) => Contents::Small(bytes),
            Held::File(file, owned) => {
                file.sync_all().at("sync", self.blobs.new_place(owned.name()))?;
                self.blobs.sync()?;
                Contents::Blobs(vec![(owned, self.size)])
            }
        };
        let etag = hex(&self.md5.finish().ok_or(Error::Sum)?);
        Ok(Written { contents, size: self.size, etag })
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
