//! An attach that ends by itself, for whoever reads or writes a volume and is done.

use std::path::Path;

use crate::error::At;
use crate::{Attached, Error, Pool, Result, VolumeId};

/// A volume, or a snapshot of one, that is attached until this is dropped.
pub struct Held<'a> {
    pool: &'a dyn Pool,
    of: VolumeId,
    snapshot: Option<String>,
    /// How it is used.
    pub attached: Attached,
}

impl<'a> Held<'a> {
    /// Attaches a volume.
    pub fn volume(pool: &'a dyn Pool, of: &VolumeId) -> Result<Held<'a>> {
        Ok(Held { pool, of: of.clone(), snapshot: None, attached: pool.attach(of)? })
    }

    /// Attaches a snapshot of a volume.
    pub fn snapshot(pool: &'a dyn Pool, of: &VolumeId, name: &str) -> Result<Held<'a>> {
        let Some(snapshots) = pool.snapshots() else {
            return Err(Error::Unsupported { what: "open a snapshot of", volume: of.clone() });
        };
        let attached = snapshots.attach(of, name)?;
        Ok(Held { pool, of: of.clone(), snapshot: Some(name.to_owned()), attached })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // What stays attached is detached when it is deleted; nobody can do more about it here.
        let _ = match (&self.snapshot, self.pool.snapshots()) {
            (Some(name), Some(snapshots)) => snapshots.detach(&self.of, name),
            _ => self.pool.detach(&self.of),
        };
    }
}

/// Bytes of a disk, be it a file or a device.
pub fn disk_size(disk: &Path) -> Result<u64> {
    let mut open = std::fs::File::open(disk).at("open", disk)?;
    crate::copy::length(&mut open).at("measure", disk)
}
