//! Makes a disk the same as another by writing only what differs.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use exec::{Control, Progress};
use rustix::fs::FallocateFlags;

use crate::Result;
use crate::error::At;

/// Bytes that are compared at once; what differs is written so.
const CHUNK: usize = 64 << 10;
/// Bytes between two reports.
const STEP: u64 = 64 << 20;

/// Makes the disk `to`, which is at least as large, the same as `from`. What is broken off is finished by
/// another run.
pub(crate) fn sync_disk(from: &Path, to: &Path, control: &Control) -> Result<()> {
    let mut source = File::open(from).at("open", from)?;
    let size = source.seek(SeekFrom::End(0)).at("measure", from)?;
    sync_parts((from, to), std::slice::from_ref(&(0..size)), control)
}

/// Makes parts of a disk the same as those of another: all that differs lies in them.
pub(crate) fn sync_parts(
    (from, to): (&Path, &Path),
    parts: &[Range<u64>],
    control: &Control,
) -> Result<()> {
    let source = File::open(from).at("open", from)?;
    let target = OpenOptions::new().read(true).write(true).open(to).at("open", to)?;
    let (mut wanted, mut there) = (vec![0; CHUNK], vec![0; CHUNK]);
    let total: u64 = parts.iter().map(|part| part.end - part.start).sum();
    let mut done = 0;
    for part in parts {
        let mut at = part.start;
        while at < part.end {
            control.check()?;
            let length = CHUNK.min(usize::try_from(part.end - at).unwrap_or(CHUNK));
            source.read_exact_at(&mut wanted[..length], at).at("read", from)?;
            target.read_exact_at(&mut there[..length], at).at("read", to)?;
            if wanted[..length] != there[..length] {
                write(&target, &wanted[..length], at).at("write", to)?;
            }
            at += length as u64;
            done += length as u64;
            if done.is_multiple_of(STEP) {
                control.report(Progress::bytes("refresh disk", done, Some(total)));
            }
        }
    }
    target.sync_all().at("sync", to)
}

/// Zeros become a hole where the disk can have one.
fn write(disk: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if bytes.iter().all(|byte| *byte == 0)
        && rustix::fs::fallocate(disk, hole, at, bytes.len() as u64).is_ok()
    {
        return Ok(());
    }
    disk.write_all_at(bytes, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written_and_zeros_are_holes() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut disk = vec![0; 3 << 20];
        disk[1 << 20..(1 << 20) + 7].copy_from_slice(b"changed");
        std::fs::write(&from, &disk).unwrap();
        std::fs::write(&to, vec![7; 3 << 20]).unwrap();
        sync_disk(&from, &to, &Control::none()).unwrap();
        assert!(std::fs::read(&to).unwrap() == disk);
        assert!(std::fs::metadata(&to).unwrap().blocks() * 512 < 1 << 20);
    }
}
