//! Streams of trees and disks that are volumes.

use std::os::fd::OwnedFd;
use std::path::Path;

use exec::Control;

use super::reference::Reference;
use super::{Backing, Streaming, Volumes};
use crate::dir::{Purpose, TreeStreams, Trees};
use crate::streams::Outgoing;
use crate::{Error, Making, Result};

/// What disks are called in the folder of a volume.
const DISK: &str = "root.img";

impl<B: Backing> Volumes<B> {
    fn streaming(&self) -> Result<&dyn Streaming> {
        self.backing.streaming().ok_or(Error::Stream { why: "these volumes have none" })
    }
}

impl<B: Backing> TreeStreams for Volumes<B> {
    fn known(&self, path: &Path) -> Result<Option<(Vec<String>, u64)>> {
        self.streaming()?.known(&self.read(path)?.volume)
    }

    fn prepare<'a>(
        &'a self,
        path: &Path,
        base: Option<&Path>,
        why: Purpose,
        _: &Path,
    ) -> Result<Option<Box<dyn Outgoing + 'a>>> {
        let base = base.map(|base| self.read(base)).transpose()?.map(|base| base.volume);
        self.settle(path)?;
        let source = self.read(path)?;
        let _still = self.still(&source)?;
        self.streaming()?.prepare(&source.volume, base.as_deref(), why)
    }

    /// A stream tells itself from what it starts.
    fn receive(
        &self,
        _: Option<&Path>,
        to: &Path,
        kept: Option<Option<&str>>,
        from: OwnedFd,
        control: &Control,
    ) -> Result<()> {
        let is_disk = to.file_name().is_some_and(|name| name == DISK);
        let usual = self.backing.kind(self.backing.usual());
        let new = Reference::new((!is_disk).then_some(usual));
        new.write(to)?;
        let why = if kept.is_some() { Purpose::Keep } else { Purpose::Use };
        let came_as_disk = self.streaming()?.receive(&new.volume, is_disk, why, from, control)?;
        match (is_disk, came_as_disk) {
            (true, true) => Ok(()),
            (false, true) => {
                let kind = self.backing.found_on(&new.volume)?;
                Reference { file_system: Some(kind), ..new }.replace(to)
            }
            (false, false) => {
                let kind =
                    self.backing.kind(&Making { block_mode: Some(false), ..Making::default() });
                Reference { file_system: Some(kind), ..new }.replace(to)
            }
            (true, false) => Err(Error::Stream { why: "it is of files and not of a disk" }),
        }
    }
}
