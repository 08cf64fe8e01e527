//! Files with holes: their parts are found by the file system, and only those are written, in GNU
//! tar's format 1.0 for extended headers: a map, and the parts one after the other.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;

use exec::Control;
use rustix::fs::{SeekFrom, Stat};
use rustix::io::Errno;

const BLOCK: usize = 512;
/// More parts than the reader takes: such a file is written whole.
const MAX_PARTS: usize = 1 << 16;

/// Start and length of each part.
pub(super) type Parts = Vec<(u64, u64)>;

/// The parts of a file that has holes worth leaving out; None for any other.
pub(super) fn find(file: &File, stat: &Stat) -> Option<Parts> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let on_disk = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    if on_disk >= size {
        return None;
    }
    // A file system that knows no holes, or a file that changes: it is written whole.
    let parts = parts(file, size).ok()?;
    let data: u64 = parts.iter().map(|(_, length)| length).sum();
    (parts.len() <= MAX_PARTS && data + 4096 <= size).then_some(parts)
}

fn parts(file: &File, size: u64) -> rustix::io::Result<Parts> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) if start < size => start,
            Ok(_) | Err(Errno::NXIO) => break,
            Err(e) => return Err(e),
        };
        at = rustix::fs::seek(file, SeekFrom::Hole(start))?.min(size);
        parts.push((start, at - start));
        if parts.len() > MAX_PARTS {
            break;
        }
    }
    Ok(parts)
}

/// The map of a file's parts, in whole blocks.
pub(super) fn map(parts: &Parts, size: u64) -> Vec<u8> {
    let end = (size, 0);
    let closed = parts.last().is_some_and(|(start, length)| start + length == size);
    let all: Vec<_> = parts.iter().chain((!closed).then_some(&end)).collect();
    let mut text = format!("{}\n", all.len());
    for (start, length) in all {
        text.push_str(&format!("{start}\n{length}\n"));
    }
    let mut map = text.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK), 0);
    map
}

/// The data of parts, as long as they say, whatever somebody does to the file meanwhile.
pub(super) struct Data<'a> {
    head: Cursor<Vec<u8>>,
    file: File,
    parts: std::vec::IntoIter<(u64, u64)>,
    at: u64,
    left: u64,
    control: &'a Control,
}

impl<'a> Data<'a> {
    /// What stands in the archive: `head`, then the parts.
    pub(super) fn new(head: Vec<u8>, file: File, parts: Parts, control: &'a Control) -> Data<'a> {
        let parts = parts.into_iter();
        Data { head: Cursor::new(head), file, parts, at: 0, left: 0, control }
    }
}

impl Read for Data<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.control.cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let head = self.head.read(buffer)?;
        if head > 0 || buffer.is_empty() {
            return Ok(head);
        }
        while self.left == 0 {
            let Some((start, length)) = self.parts.next() else { return Ok(0) };
            (self.at, self.left) = (start, length);
        }
        let want = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut read = self.file.read_at(&mut buffer[..want], self.at)?;
        if read == 0 {
            buffer[..want].fill(0);
            read = want;
        }
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
