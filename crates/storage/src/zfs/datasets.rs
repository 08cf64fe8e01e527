//! The volumes of a pool as datasets: made, copied, limited, measured, removed.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use exec::Control;
use exec::zfs::{self, Dataset};
use serde::{Deserialize, Serialize};

use super::source::zpool;
use crate::dir::Purpose;
use crate::error::At;
use crate::volumes::{Backing, Streaming};
use crate::{Error, Result, Scrubbed, Usage, VolumeId, ZfsOptions, fsio, mounts};

/// udev makes the name of a new disk.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// Disks are a multiple of this, the largest block of one by zfs-create(8).
const BLOCK: u64 = 128 << 10;
/// How often, and how long apart, it is tried to remove what is still in use: namespaces of instances that
/// start have it for a moment.
const TRIES: u32 = 40;

/// Those of a pool.
#[derive(Debug)]
pub(crate) struct Datasets {
    /// The dataset they lie in.
    parent: String,
    options: ZfsOptions,
}

/// What a volume of files holds: there is only one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Files {
    Zfs,
}

impl Datasets {
    pub(super) fn new(parent: &str, options: ZfsOptions) -> Datasets {
        Datasets { parent: parent.to_owned(), options }
    }

    /// The dataset that they lie in.
    pub(super) fn parent(&self) -> &str {
        &self.parent
    }

    pub(super) fn whole_name(&self, volume: &str) -> String {
        format!("{}/{volume}", self.parent)
    }

    pub(super) fn failed(
        &self,
        doing: &'static str,
        volume: &str,
    ) -> impl Fn(exec::Error) -> Error {
        let what = self.whole_name(volume);
        move |source| Error::Program { doing, what: what.clone(), source: Box::new(source) }
    }

    fn find(&self, volume: &str) -> Result<Option<Dataset>> {
        let found = zfs::list(&self.whole_name(volume)).map_err(self.failed("look at", volume))?;
        Ok(found.into_iter().next())
    }

    /// The limit of its files, as properties.
    fn limits(&self, size: Option<u64>) -> Vec<(&'static str, String)> {
        let value = size.map_or_else(|| String::from("none"), |size| size.to_string());
        // Snapshots are datasets of their own, and are not counted.
        let mut limits = vec![("refquota", value.clone())];
        if self.options.reserve {
            limits.push(("refreservation", value));
        }
        limits
    }

    fn set(&self, volume: &str, properties: &[(&'static str, String)]) -> Result<()> {
        let pairs: Vec<(&str, &str)> =
            properties.iter().map(|(key, value)| (*key, value.as_str())).collect();
        zfs::set(&self.whole_name(volume), &pairs).map_err(self.failed("set properties of", volume))
    }
}

/// What a dataset has that is not made empty.
pub(super) fn properties(is_disk: bool, why: Purpose) -> &'static [(&'static str, &'static str)] {
    match (is_disk, why) {
        (false, Purpose::Use) => &[("mountpoint", "legacy")],
        (false, Purpose::Keep) => &[("mountpoint", "legacy"), ("readonly", "on")],
        (true, Purpose::Use) => &[("volmode", "dev")],
        // No device of it is made before somebody opens it.
        (true, Purpose::Keep) => &[("volmode", "none"), ("readonly", "on")],
    }
}

impl Backing for Datasets {
    type Kind = Files;

    fn kind(&self) -> Files {
        Files::Zfs
    }

    fn clean(&self, named: &dyn Fn() -> Result<Vec<String>>) -> Result<()> {
        self.forget_left(named)
    }

    fn streaming(&self) -> Option<&dyn Streaming> {
        Some(self)
    }

    fn shares(&self) -> bool {
        true
    }

    fn make_files(&self, volume: &str, size: Option<u64>) -> Result<()> {
        let mut properties = match size {
            Some(size) => self.limits(Some(size)),
            None => Vec::new(),
        };
        if let Some(size) = self.options.block_size {
            properties.push(("recordsize", size.to_string()));
        }
        let pairs: Vec<(&str, &str)> =
            properties.iter().map(|(key, value)| (*key, value.as_str())).collect();
        zfs::make(&self.whole_name(volume), &pairs).map_err(self.failed("make", volume))
    }

    fn mount(&self, volume: &str, _: Files, at: &Path) -> Result<()> {
        mounts::mount(Path::new(&self.whole_name(volume)), at, "zfs", "")
    }

    fn can_copy(&self, _: &str, _: Option<u64>) -> Result<bool> {
        Ok(true)
    }

    fn copy(&self, from: &str, to: &str, size: Option<u64>, why: Purpose) -> Result<()> {
        let is_disk = self.find(from)?.is_some_and(|source| source.size.is_some());
        zfs::copy(&self.whole_name(from), &self.whole_name(to), to, properties(is_disk, why))
            .map_err(self.failed("copy", from))?;
        // A limit is not copied.
        match size {
            Some(_) if !is_disk => self.set(to, &self.limits(size)),
            _ => Ok(()),
        }
    }

    fn limit(&self, volume: &str, size: Option<u64>, of: &VolumeId) -> Result<Option<u64>> {
        if let (Some(size), Some(found)) = (size, self.find(volume)?)
            && found.referenced > size
        {
            return Err(Error::Shrink { volume: of.clone(), from: found.referenced, to: size });
        }
        self.set(volume, &self.limits(size)).map(|()| None)
    }

    fn list(&self) -> Result<Vec<String>> {
        let all = zfs::list(&self.parent).map_err(self.failed("list", ""))?;
        let inside = format!("{}/", self.parent);
        Ok(all.iter().filter_map(|it| it.name.strip_prefix(&inside)).map(str::to_owned).collect())
    }

    fn remove(&self, gone: Vec<String>) -> Result<()> {
        for volume in &gone {
            let mut left = TRIES;
            while let Err(error) = zfs::destroy(&self.whole_name(volume)) {
                left -= 1;
                if left == 0 || !error.stderr_has("busy") {
                    return Err(self.failed("remove", volume)(error));
                }
                sleep(PAUSE * 5);
            }
        }
        // What stood on them has the states that they were known by.
        self.forget_births(&gone)
    }

    fn room_for_disk(&self, _: u64) -> Option<u64> {
        None
    }

    fn make_disk(&self, volume: &str, size: u64) -> Result<()> {
        let block = self.options.block_size.map(|size| size.to_string());
        let properties: Vec<(&str, &str)> =
            block.iter().map(|size| ("volblocksize", size.as_str())).collect();
        zfs::make_disk(&self.whole_name(volume), self.whole(size), &properties)
            .map_err(self.failed("make", volume))?;
        self.activate(volume).map(drop)
    }

    fn grow_disk(&self, volume: &str, size: u64) -> Result<()> {
        self.set(volume, &[("volsize", self.whole(size).to_string())])
    }

    fn disk_size(&self, volume: &str) -> Result<u64> {
        Ok(self.find(volume)?.and_then(|found| found.size).unwrap_or(0))
    }

    fn whole(&self, size: u64) -> u64 {
        size.div_ceil(BLOCK).max(1) * BLOCK
    }

    fn device(&self, volume: &str) -> PathBuf {
        Path::new("/dev/zvol").join(self.whole_name(volume))
    }

    fn activate(&self, volume: &str) -> Result<PathBuf> {
        let device = self.device(volume);
        if fsio::exists(&device)? {
            return Ok(device);
        }
        self.set(volume, &[("volmode", String::from("dev"))])?;
        let end = Instant::now() + PATIENCE;
        while !fsio::exists(&device)? {
            if Instant::now() > end {
                return Err(std::io::Error::from(std::io::ErrorKind::NotFound))
                    .at("wait for", device);
            }
            sleep(PAUSE);
        }
        Ok(device)
    }

    fn usage(&self, _: &Path) -> Result<Usage> {
        let all = zfs::list(&self.parent).map_err(self.failed("measure", ""))?;
        let (used, free) = all.first().map_or((0, 0), |pool| (pool.used, pool.available));
        Ok(Usage { total: used + free, used, inodes_total: 0, inodes_used: 0 })
    }

    fn used_by_disk(&self, volume: &str) -> Result<u64> {
        Ok(self.find(volume)?.map_or(0, |found| found.used))
    }

    /// What is its own, and what it shares with others.
    fn used_by_files(&self, volume: &str, _: &Path) -> Result<u64> {
        Ok(self.find(volume)?.map_or(0, |found| found.referenced))
    }

    fn scrub(&self, control: &Control) -> Result<Option<Scrubbed>> {
        super::scrub::scrub(zpool(&self.parent), control).map(Some)
    }
}
