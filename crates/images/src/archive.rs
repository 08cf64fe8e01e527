//! The entries of a tar archive nobody vouches for, one after the other.
//!
//! Keeps what the crate `tar` leaves to us: headers cannot grow without bound, an archive that just
//! stops is noticed, and every error says which file and where in it.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::{Error, Result};

/// What one entry's names and attributes may take.
const HEADERS: u64 = 2 << 20;
/// After the end marker: padding, which is read so that checksums at the end are compared.
const TRAILER: u64 = 16 << 20;

/// Whether the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Go,
    Stop,
}

/// Calls `visit` with each entry. `file` is for messages, `reader` the unpacked archive.
pub(crate) fn walk<'r>(
    file: &Path,
    reader: Box<dyn Read + 'r>,
    visit: &mut dyn FnMut(&mut Item<'_, 'r>) -> Result<Next>,
) -> Result<()> {
    let meter = Meter::default();
    let damaged = |entry: &Path, source| meter.damaged(file, entry, source);
    let mut archive = tar::Archive::new(Metered { inner: reader, meter: meter.clone() });
    let mut last = PathBuf::new();
    meter.allowed.set(HEADERS);
    for entry in archive.entries().map_err(|e| damaged(&last, e))? {
        let entry = entry.map_err(|e| damaged(&last, e))?;
        meter.allowed.set(u64::MAX);
        let path = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
        let mut item = Item { file, path, entry, meter: &meter };
        if visit(&mut item)? == Next::Stop {
            return Ok(());
        }
        item.skip()?;
        last = item.path;
        meter.allowed.set(HEADERS);
    }
    if meter.zeros.get() < 512 {
        return Err(damaged(&last, io::Error::other("the archive has no end")));
    }
    meter.allowed.set(u64::MAX);
    let mut rest = archive.into_inner().take(TRAILER);
    io::copy(&mut rest, &mut io::sink()).map_err(|e| damaged(Path::new(""), e))?;
    Ok(())
}

/// One entry.
pub(crate) struct Item<'a, 'r> {
    file: &'a Path,
    /// As the archive has it, unchecked.
    pub(crate) path: PathBuf,
    entry: tar::Entry<'a, Metered<Box<dyn Read + 'r>>>,
    meter: &'a Meter,
}

impl Item<'_, '_> {
    pub(crate) fn header(&self) -> &tar::Header {
        self.entry.header()
    }

    /// Bytes of data, as far as the headers tell.
    pub(crate) fn size(&self) -> u64 {
        self.entry.size()
    }

    /// Where a link leads, as the archive has it.
    pub(crate) fn link(&self) -> Option<PathBuf> {
        self.entry.link_name_bytes().map(|name| PathBuf::from(OsStr::from_bytes(&name)))
    }

    /// The entry's extended headers; those that cannot be read are left out.
    pub(crate) fn extensions(&mut self) -> Result<Vec<(String, Vec<u8>)>> {
        let Item { file, path, entry, meter } = self;
        let found = entry.pax_extensions().map_err(|e| meter.damaged(file, path, e))?;
        let pair =
            |pax: tar::PaxExtension| Some((pax.key().ok()?.to_owned(), pax.value_bytes().to_vec()));
        Ok(found.into_iter().flatten().filter_map(|pax| pair(pax.ok()?)).collect())
    }

    /// The next bytes of data; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.entry.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.damaged(e)),
                Ok(read) => return Ok(read),
            }
        }
    }

    /// All data of a small file.
    pub(crate) fn read_all(&mut self, limit: u64) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        let read = (&mut self.entry).take(limit + 1).read_to_end(&mut data);
        read.map_err(|e| self.damaged(e))?;
        if data.len() as u64 > limit {
            let (file, what) = (self.file.to_owned(), "bytes of metadata");
            return Err(Error::TooLarge { file, limit, what });
        }
        Ok(data)
    }

    /// Reads what is left of the data, so that the headers after it are counted alone.
    fn skip(&mut self) -> Result<()> {
        io::copy(&mut self.entry, &mut io::sink()).map(drop).map_err(|e| self.damaged(e))
    }

    /// An error of this entry that comes from what the archive holds.
    pub(crate) fn damaged(&self, source: io::Error) -> Error {
        self.meter.damaged(self.file, &self.path, source)
    }

    /// Refuses this entry.
    pub(crate) fn hostile(&self, why: &'static str) -> Error {
        Error::Hostile { file: self.file.to_owned(), entry: self.path.clone(), why }
    }
}

/// What is known of the bytes that went by; clones are the same meter.
#[derive(Debug, Clone, Default)]
struct Meter {
    position: Rc<Cell<u64>>,
    /// Bytes that may still be read.
    allowed: Rc<Cell<u64>>,
    /// Zero bytes at the end of what was read.
    zeros: Rc<Cell<u64>>,
}

impl Meter {
    fn damaged(&self, file: &Path, entry: &Path, source: io::Error) -> Error {
        let entry = (!entry.as_os_str().is_empty()).then(|| entry.to_owned());
        Error::Damaged { file: file.to_owned(), position: self.position.get(), entry, source }
    }

    fn saw(&self, data: &[u8]) {
        self.position.set(self.position.get() + data.len() as u64);
        self.allowed.set(self.allowed.get().saturating_sub(data.len() as u64));
        let zeros = data.iter().rev().take_while(|byte| **byte == 0).count();
        let before = if zeros == data.len() { self.zeros.get() } else { 0 };
        self.zeros.set(before + zeros as u64);
    }
}

struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.allowed.get() == 0 && !buffer.is_empty() {
            return Err(io::Error::other("the headers of an entry are too large"));
        }
        let read = self.inner.read(buffer)?;
        self.meter.saw(&buffer[..read]);
        Ok(read)
    }
}
