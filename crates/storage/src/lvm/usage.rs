//! Room in a volume group, and what volumes take of it.

use std::path::Path;

use exec::lvm;

use super::group::Group;
use crate::error::At;
use crate::volumes::disks;
use crate::{Error, Result, Usage};

/// Room in a pool: that of its thin pool and its books, or of its whole group.
pub(super) fn of(group: &Group, books: &Path) -> Result<Usage> {
    let (total, used) = match group.options.thick {
        true => of_group(group)?,
        false => {
            let (total, used) = of_thin(group, group.thin_pool())?;
            let room = rustix::fs::statvfs(books).at("measure", books)?;
            (total + room.f_blocks * room.f_frsize, used + disks::used(books)?)
        }
    };
    Ok(Usage { total, used, inodes_total: 0, inodes_used: 0 })
}

fn of_group(group: &Group) -> Result<(u64, u64)> {
    let all = lvm::groups().map_err(group.failed("measure", ""))?;
    let found = all.into_iter().find(|found| found.name == group.name);
    let gone = || Error::Group { group: group.name.clone(), why: "it is gone" };
    let found = found.ok_or_else(gone)?;
    Ok((found.size, found.size - found.free))
}

fn of_thin(group: &Group, volume: &str) -> Result<(u64, u64)> {
    let Some(found) = group.find(volume)? else { return Ok((0, 0)) };
    let used = found.used.unwrap_or(100.0) / 100.0 * found.size as f64;
    Ok((found.size, used as u64))
}

/// Bytes that a disk takes, in part together with what it is a copy of.
pub(super) fn of_disk(group: &Group, volume: &str) -> Result<u64> {
    of_thin(group, volume).map(|(_, used)| used)
}
