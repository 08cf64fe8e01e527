//! Streams of unpacked bytes from image files, counted on both sides.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use crate::error::At;
use crate::{Error, Format, Result};

/// What unpacking may need: `xz -9` takes 65 MiB.
const LZMA_MEMORY: u64 = 256 << 20;
const BUFFER: usize = 256 << 10;

/// How many bytes went by; shared by who reads and who reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count(Rc<Cell<u64>>);

impl Count {
    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }

    fn add(&self, bytes: usize) {
        self.0.set(self.0.get() + bytes as u64);
    }
}

/// Counts what is read through it.
pub(crate) struct Counting<T> {
    inner: T,
    count: Count,
}

impl<T> Counting<T> {
    pub(crate) fn new(inner: T) -> Counting<T> {
        Counting { inner, count: Count::default() }
    }

    pub(crate) fn count(&self) -> Count {
        self.count.clone()
    }
}

impl<T: Read> Read for Counting<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.add(read);
        Ok(read)
    }
}

/// The tar archive within a stream of that format.
pub(crate) fn decoder<'a>(format: Format, from: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let from = BufReader::with_capacity(BUFFER, from);
    Ok(match format {
        Format::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
        Format::Xz | Format::Lzma => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_auto_decoder(LZMA_MEMORY, flags)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(from, stream))
        }
        Format::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(from)?),
        Format::Tar | Format::Squashfs | Format::Qcow2 => Box::new(from),
    })
}

/// An image file open for reading.
pub(crate) struct Source {
    pub(crate) file: File,
    pub(crate) format: Format,
    pub(crate) size: u64,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Source> {
        let format = Format::of(path)?;
        let file = File::open(path).at("open", path)?;
        let size = file.metadata().at("look at", path)?.len();
        Ok(Source { file, format, size })
    }

    /// Refuses what is not a tar archive.
    pub(crate) fn must_be_tar(&self, path: &Path, role: &'static str) -> Result<()> {
        match self.format.is_tar() {
            true => Ok(()),
            false => Err(Error::Misplaced { file: path.to_owned(), format: self.format, role }),
        }
    }
}
