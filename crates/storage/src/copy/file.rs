//! The data of one file: shared blocks where possible, else its written parts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use exec::Control;
use rustix::fs::SeekFrom as HoleFrom;
use rustix::io::Errno;

use crate::error::At;
use crate::{Result, fsio};

/// Between two looks at the control.
const CHUNK: usize = 1 << 20;

/// Copies one file to a new one.
pub fn copy_file(from: &Path, to: &Path, control: &Control) -> Result<()> {
    let mut source = File::open(from).at("open", from)?;
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut target = new.at("create", to)?;
    copy_data(&mut source, &mut target, to, control).map(drop)
}

/// Copies the data of an open file into an empty one; gives the bytes written.
pub(super) fn copy_data(
    from: &mut File,
    to: &mut File,
    name: &Path,
    control: &Control,
) -> Result<u64> {
    let size = length(from).at("measure", name)?;
    if size == 0 {
        return Ok(0);
    }
    if rustix::fs::ioctl_ficlone(to.as_fd(), from.as_fd()).is_ok() {
        return Ok(0);
    }
    let written = copy_parts(from, to, size, name, control)?;
    to.set_len(size).at("resize", name)?;
    Ok(written)
}

/// Copies a file or a disk onto a disk that reads as zeros and is at least so large.
pub(crate) fn copy_onto_disk(from: &Path, to: &Path, control: &Control) -> Result<()> {
    let mut source = File::open(from).at("open", from)?;
    let mut target = OpenOptions::new().write(true).open(to).at("open", to)?;
    let size = length(&mut source).at("measure", from)?;
    copy_parts(&mut source, &mut target, size, to, control)?;
    target.sync_all().at("sync", to)
}

/// Bytes of a file or a disk.
pub(crate) fn length(file: &mut File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

fn copy_parts(
    from: &mut File,
    to: &mut File,
    size: u64,
    name: &Path,
    control: &Control,
) -> Result<u64> {
    let mut written = 0;
    let mut at = 0;
    while let Some((start, end)) = next_data(from, at, size).at("look for holes in", name)? {
        from.seek(SeekFrom::Start(start)).at("read", name)?;
        to.seek(SeekFrom::Start(start)).at("write", name)?;
        written += copy_range(from, to, end - start, name, control)?;
        at = end;
    }
    Ok(written)
}

/// The next part that is not a hole; a file system that knows no holes says the rest.
fn next_data(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= size {
        return Ok(None);
    }
    let start = match rustix::fs::seek(file, HoleFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL) => return Ok(Some((at, size))),
        Err(e) => return Err(e.into()),
    };
    let end = rustix::fs::seek(file, HoleFrom::Hole(start))?;
    Ok((start < size).then(|| (start, end.min(size))))
}

fn copy_range(
    from: &mut File,
    to: &mut File,
    mut left: u64,
    name: &Path,
    control: &Control,
) -> Result<u64> {
    let mut copied = 0;
    while left > 0 {
        control.check()?;
        let chunk = left.min(CHUNK as u64) as usize;
        let done = match rustix::fs::copy_file_range(&*from, None, &*to, None, chunk) {
            Ok(done) => done,
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                through_memory(from, to, chunk).at("copy", name)?
            }
            Err(e) => return Err(e).at("copy", name),
        };
        if done == 0 {
            break; // the file got shorter meanwhile
        }
        copied += done as u64;
        left -= done as u64;
    }
    Ok(copied)
}

fn through_memory(from: &mut File, to: &mut File, size: usize) -> io::Result<usize> {
    let mut buffer = vec![0; size.min(128 << 10)];
    let read = from.read(&mut buffer)?;
    to.write_all(&buffer[..read])?;
    Ok(read)
}

/// Whether files in `folder` can share blocks.
pub(crate) fn can_reflink(folder: &Path) -> Result<bool> {
    let (a, b) = (folder.join(".reflink-a"), folder.join(".reflink-b"));
    let probe = || -> io::Result<bool> {
        let mut from = File::create(&a)?;
        from.write_all(b"probe")?;
        let to = File::create(&b)?;
        Ok(rustix::fs::ioctl_ficlone(to.as_fd(), File::open(&a)?.as_fd()).is_ok())
    };
    let can = probe().unwrap_or(false);
    fsio::remove_file(&a)?;
    fsio::remove_file(&b)?;
    Ok(can)
}

/// Opens a file of a tree by its folder, never waiting for a pipe's other end.
pub(super) fn open_at(folder: impl AsFd, name: &std::ffi::CStr) -> rustix::io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty()).map(File::from)
}

/// Makes a file of a tree; it must be new.
pub(super) fn create_at(folder: impl AsFd, name: &std::ffi::CStr) -> rustix::io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// The size of a file on disk, in bytes.
pub(crate) fn disk_bytes(stat: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    stat.blocks() * 512
}
