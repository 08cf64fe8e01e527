//! What is beneath the volumes of a pool.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use exec::Control;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::disks::Still;
use crate::dir::Purpose;
use crate::streams::Outgoing;
use crate::{Making, Result, Scrubbed, Usage, VolumeId};

/// Makes, copies, mounts, measures and removes volumes by name: a volume group, a dataset of ZFS.
pub(crate) trait Backing: Send + Sync {
    /// What files of a volume can lie in.
    type Kind: Copy + PartialEq + Serialize + DeserializeOwned + Send + Sync;

    /// What volumes are like that choose nothing.
    fn usual(&self) -> &Making;
    /// What files of such a volume lie in.
    fn kind(&self, making: &Making) -> Self::Kind;
    /// Whether a copy shares room with what it is of.
    fn shares(&self) -> bool;
    /// Makes a volume with no files, of at most so many bytes.
    fn make_files(
        &self,
        volume: &str,
        kind: Self::Kind,
        size: Option<u64>,
        making: &Making,
    ) -> Result<()>;
    /// Mounts a volume of files, with options that are separated by commas.
    fn mount(&self, volume: &str, kind: Self::Kind, options: Option<&str>, at: &Path)
    -> Result<()>;
    /// Whether a volume, of files or a disk, can be copied at once into one of at most so many bytes.
    fn can_copy(&self, from: &str, kind: Option<Self::Kind>, size: Option<u64>) -> Result<bool>;
    /// Whether files must be kept still, where they are mounted, while a volume is copied.
    fn holds_still(&self, kind: Self::Kind) -> bool {
        let _ = kind;
        false
    }
    /// Makes a volume that is the same as another is now. `still` keeps its files still while its state is
    /// taken, where that is needed.
    fn copy(
        &self,
        from: (&str, Option<Self::Kind>),
        to: &str,
        why: Purpose,
        still: &dyn Fn() -> Result<Option<Still>>,
        control: &Control,
    ) -> Result<()>;
    /// Limits the files of a volume. Where it must grow before, it says how large: then [`Backing::grow_files`]
    /// is called while it is mounted.
    fn limit(
        &self,
        volume: (&str, Self::Kind),
        size: Option<u64>,
        making: &Making,
        of: &VolumeId,
    ) -> Result<Option<u64>>;
    /// Makes a volume with its files larger, which is mounted.
    fn grow_files(&self, volume: &str, kind: Self::Kind, size: u64, mount: &Path) -> Result<()> {
        let _ = (volume, kind, size, mount);
        Ok(())
    }
    /// Whether the container that has such files is to manage the volume itself.
    fn delegates(&self, kind: Self::Kind, making: &Making) -> bool {
        let _ = (kind, making);
        false
    }
    /// Lets root of a user namespace do so.
    fn delegate(&self, volume: &str, namespace: &Path) -> Result<()> {
        let _ = (volume, namespace);
        Ok(())
    }
    /// The names of all volumes.
    fn list(&self) -> Result<Vec<String>>;
    /// Removes volumes; absent ones are Ok.
    fn remove(&self, volumes: Vec<String>) -> Result<()>;
    /// The limit of a volume of files in which one file becomes a disk of that size.
    fn room_for_disk(&self, size: u64) -> Option<u64>;
    /// Makes a disk that reads as zeros.
    fn make_disk(&self, volume: &str, size: u64, making: &Making) -> Result<()>;
    /// Makes a disk larger; the new end reads as zeros.
    fn grow_disk(&self, volume: &str, size: u64) -> Result<()>;
    /// Bytes of a disk.
    fn disk_size(&self, volume: &str) -> Result<u64>;
    /// What a volume has that is to have so many bytes.
    fn whole(&self, size: u64) -> u64;
    /// The device of a disk that is active.
    fn device(&self, volume: &str) -> PathBuf;
    /// The device of a disk, which it makes active.
    fn activate(&self, volume: &str) -> Result<PathBuf>;
    /// Room in the pool, whose books are mounted there.
    fn usage(&self, books: &Path) -> Result<Usage>;
    /// Bytes that a disk takes.
    fn used_by_disk(&self, volume: &str) -> Result<u64>;
    /// Bytes that the files of a volume take, which is mounted there.
    fn used_by_files(&self, volume: &str, kind: Self::Kind, mount: &Path) -> Result<u64>;
    /// In what the files are that a volume has which came as a disk.
    fn found_on(&self, volume: &str) -> Result<Self::Kind> {
        let _ = volume;
        Ok(self.kind(self.usual()))
    }
    /// Removes what a crash left beside volumes; `named` tells which are there or are being made.
    fn clean(&self, named: &dyn Fn() -> Result<Vec<String>>) -> Result<()> {
        let _ = named;
        Ok(())
    }
    /// How volumes are streamed, where they can be.
    fn streaming(&self) -> Option<&dyn Streaming> {
        None
    }
    /// Compares everything with its checksums, where it has any.
    fn scrub(&self, control: &Control) -> Result<Option<Scrubbed>> {
        let _ = control;
        Ok(None)
    }
}

/// Volumes as streams; see [`crate::dir::TreeStreams`].
pub(crate) trait Streaming: Send + Sync {
    /// What a volume that nobody writes to is known by, and a number that grows with every one.
    fn known(&self, volume: &str) -> Result<Option<(Vec<String>, u64)>>;
    /// Holds a state to be sent.
    fn prepare<'a>(
        &'a self,
        volume: &str,
        base: Option<&str>,
        why: Purpose,
    ) -> Result<Option<Box<dyn Outgoing + 'a>>>;
    /// Makes a volume, of files or a disk, of a stream; says whether what came is a disk, on which there may be
    /// files.
    fn receive(
        &self,
        volume: &str,
        is_disk: bool,
        why: Purpose,
        from: OwnedFd,
        control: &Control,
    ) -> Result<bool>;
}
