//! Roots in squashfs, unpacked by `unsquashfs`, which is faster than anything we could link and
//! keeps file capabilities. What it brings that we do not want is removed after it.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use exec::Control;

use super::{Unpacked, Work};
use crate::error::At;
use crate::{Error, Result};

impl Work<'_> {
    /// Unpacks a squashfs file into a folder, which may be there.
    pub(super) fn squashfs(&mut self, file: &Path, into: &Path) -> Result<()> {
        let entries = inodes(file)?;
        if entries > self.limits.max_entries {
            let (file, limit) = (file.to_owned(), self.limits.max_entries);
            return Err(Error::TooLarge { file, limit, what: "entries" });
        }
        exec::unsquashfs::unpack(file, into, self.control)?;
        scrub(into, &mut self.done, self.control)?;
        match self.done.bytes > self.limits.max_bytes {
            true => {
                let (file, limit) = (file.to_owned(), self.limits.max_bytes);
                Err(Error::TooLarge { file, limit, what: "bytes" })
            }
            false => Ok(()),
        }
    }
}

/// The number of inodes, which stands after the magic.
fn inodes(file: &Path) -> Result<u64> {
    let mut count = [0; 4];
    File::open(file).and_then(|f| f.read_exact_at(&mut count, 4)).at("read", file)?;
    Ok(u64::from(u32::from_le_bytes(count)))
}

/// Counts what is there and removes device nodes.
fn scrub(top: &Path, done: &mut Unpacked, control: &Control) -> Result<()> {
    let mut waiting = vec![top.to_owned()];
    while let Some(folder) = waiting.pop() {
        control.check()?;
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let entry = entry.at("list", &folder)?;
            let stat = entry.metadata().at("look at", entry.path())?;
            done.entries += 1;
            if stat.is_dir() {
                waiting.push(entry.path());
            } else if stat.file_type().is_char_device() || stat.file_type().is_block_device() {
                done.devices += 1;
                fs::remove_file(entry.path()).at("remove", entry.path())?;
            } else {
                done.bytes += stat.blocks() * 512;
            }
        }
    }
    Ok(())
}
