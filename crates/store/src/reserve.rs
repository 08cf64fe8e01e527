//! Space kept for a full disk: whoever wants to delete something then needs a store that works.
//!
//! A file without meaning beside the others, shortened bit by bit by those whose write found no
//! space. Bit by bit, because whatever filled the disk takes what becomes free as well.

use std::fs::{self, File};
use std::path::PathBuf;

use rusqlite::ErrorCode;
use rustix::fs::FallocateFlags;

use crate::error::BoxError;
use crate::files::Folder;

/// Bytes kept.
const SIZE: u64 = 16 << 20;

/// Bytes given at a time; some hundred writes.
const STEP: u64 = 1 << 20;

/// The disk must have this many times as much, so that keeping it takes nothing anybody misses.
const SHARE: u64 = 4;

#[derive(Debug)]
pub(crate) struct Reserve(PathBuf);

impl Reserve {
    pub(crate) fn new(folder: &Folder) -> Reserve {
        Reserve(folder.path().join("reserve"))
    }

    /// Keeps the space anew where the disk has enough. A disk without is none that a start or a
    /// write should fail for.
    pub(crate) fn keep(&self) {
        let kept = fs::metadata(&self.0).map_or(0, |file| file.len());
        if kept < SIZE && self.free().is_some_and(|free| free >= SHARE * SIZE) {
            match self.take() {
                Ok(()) if kept > 0 => tracing::info!("the disk has space again"),
                Ok(()) => {}
                Err(error) => {
                    tracing::debug!(%error, "no space kept for a full disk");
                    // Half of it would pass for the whole.
                    let _ = fs::remove_file(&self.0);
                }
            }
        }
    }

    fn take(&self) -> std::io::Result<()> {
        let file = File::options().create(true).truncate(false).write(true).open(&self.0)?;
        rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, SIZE)?;
        file.set_len(SIZE)
    }

    fn free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.0.parent()?).ok()?;
        Some(disk.f_bavail * disk.f_frsize)
    }

    /// Gives some of it to those who write now; false when there is nothing left.
    pub(crate) fn give(&self) -> bool {
        let shortened = File::options().write(true).open(&self.0).and_then(|file| {
            let left = file.metadata()?.len().saturating_sub(STEP);
            file.set_len(left).map(|()| left)
        });
        let Ok(left) = shortened else { return false };
        let (mib, folder) = (left >> 20, self.0.parent());
        tracing::warn!(?folder, mib, "the disk is full: delete something; so much is still kept");
        left > 0 || fs::remove_file(&self.0).is_ok()
    }

    /// Does it again with some of the space as long as the disk is full and there is some.
    pub(crate) fn with_room<R>(
        &self,
        mut work: impl FnMut() -> Result<R, BoxError>,
    ) -> Result<R, BoxError> {
        loop {
            match work() {
                Err(error) if is_full(&error) && self.give() => {}
                other => return other,
            }
        }
    }
}

fn is_full(error: &BoxError) -> bool {
    if let Some(error) = error.downcast_ref::<rusqlite::Error>() {
        return error.sqlite_error_code() == Some(ErrorCode::DiskFull);
    }
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
}
