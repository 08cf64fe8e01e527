//! The volumes of a pool as datasets: made, copied, limited, measured, removed.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use exec::zfs::{self, Dataset, Room};
use exec::{Control, mkfs, wipefs};

use super::files::{Files, LARGEST, limits, properties};
use super::source::zpool;
use crate::dir::Purpose;
use crate::error::At;
use crate::volumes::disks::{self, Access, Still};
use crate::volumes::{Backing, Streaming};
use crate::{
    Copies, Error, Making, PoolOptions, Result, Scrubbed, Usage, VolumeId, ZfsOptions, mounts,
};

/// udev makes the name of a new disk.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// How often, and how long apart, it is tried to remove what is still in use: namespaces of instances that
/// start have it for a moment.
const TRIES: u32 = 40;

/// Those of a pool.
#[derive(Debug)]
pub(crate) struct Datasets {
    /// The dataset they lie in.
    parent: String,
    options: ZfsOptions,
    /// What volumes are like that choose nothing, and how large.
    making: Making,
    volume_size: Option<u64>,
}

impl Datasets {
    pub(super) fn new(parent: &str, options: &PoolOptions) -> Datasets {
        let PoolOptions { zfs, making, volume_size, .. } = options.clone();
        Datasets { parent: parent.to_owned(), options: zfs, making, volume_size }
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

    fn set(&self, volume: &str, properties: &[(&'static str, String)]) -> Result<()> {
        let pairs: Vec<(&str, &str)> =
            properties.iter().map(|(key, value)| (*key, value.as_str())).collect();
        zfs::set(&self.whole_name(volume), &pairs).map_err(self.failed("set properties of", volume))
    }
}

impl Datasets {
    fn make_zvol(&self, volume: &str, size: u64, making: &Making) -> Result<()> {
        let block = making.block_size.map(|size| size.min(LARGEST).to_string());
        let properties: Vec<(&str, &str)> =
            block.iter().map(|size| ("volblocksize", size.as_str())).collect();
        let room = match making.reserve {
            Some(true) => Room::AtOnce,
            _ => Room::AsNeeded,
        };
        zfs::make_disk(&self.whole_name(volume), self.whole(size), room, &properties)
            .map_err(self.failed("make", volume))
    }

    fn usual_size(&self) -> u64 {
        self.volume_size.unwrap_or(disks::USUAL)
    }

    /// Limits files of ZFS itself.
    fn limit_files(&self, volume: &str, size: Option<u64>, making: &Making) -> Result<()> {
        limits(size, making).iter().try_for_each(|properties| self.set(volume, properties))
    }
}

impl Backing for Datasets {
    type Kind = Files;

    fn usual(&self) -> &Making {
        &self.making
    }

    fn kind(&self, making: &Making) -> Files {
        Files::of(making)
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

    fn make_files(
        &self,
        volume: &str,
        kind: Files,
        size: Option<u64>,
        making: &Making,
    ) -> Result<()> {
        if let Some(file_system) = kind.on_disk() {
            self.make_zvol(volume, size.unwrap_or(self.usual_size()), making)?;
            let path = self.activate(volume)?;
            let failed = |source| Error::Format { path: path.clone(), source: Box::new(source) };
            return mkfs::make(&path, file_system, exec::mkfs::Files::Any).map_err(failed);
        }
        let record = making.block_size.map(|size| size.to_string());
        let record: Vec<(&str, &str)> =
            record.iter().map(|size| ("recordsize", size.as_str())).collect();
        zfs::make(&self.whole_name(volume), &record).map_err(self.failed("make", volume))?;
        match size {
            Some(_) => self.limit_files(volume, size, making),
            None => Ok(()),
        }
    }

    fn mount(&self, volume: &str, kind: Files, options: Option<&str>, at: &Path) -> Result<()> {
        let Some(file_system) = kind.on_disk() else {
            return mounts::mount(Path::new(&self.whole_name(volume)), at, "zfs", "");
        };
        let disk = self.activate(volume)?;
        let kept = zfs::own_property(&self.whole_name(volume), "readonly")
            .map_err(self.failed("look at", volume))?;
        let access = if kept == "on" { Access::Read } else { Access::Write };
        disks::mount(&disk, file_system, options, at, access)
    }

    fn can_copy(&self, from: &str, kind: Option<Files>, size: Option<u64>) -> Result<bool> {
        match (kind.and_then(Files::on_disk), size) {
            (Some(_), Some(size)) => Ok(self.whole(size) >= self.disk_size(from)?),
            _ => Ok(true),
        }
    }

    fn holds_still(&self, kind: Files) -> bool {
        kind.on_disk().is_some()
    }

    fn copy(
        &self,
        (from, kind): (&str, Option<Files>),
        to: &str,
        why: Purpose,
        still: &dyn Fn() -> Result<Option<Still>>,
        control: &Control,
    ) -> Result<()> {
        let name = self.whole_name(from);
        {
            let _still = still()?;
            zfs::remember(&name, to).map_err(self.failed("take a state of", from))?;
        }
        let is_disk = kind.is_none_or(|kind| kind.on_disk().is_some());
        let (properties, state) = (properties(is_disk, why), format!("{name}@{to}"));
        match (why, self.options.copies) {
            (Purpose::Copy, share @ (Copies::Nothing | Copies::Image)) => {
                let written = self.write_anew(from, to, share, properties, control);
                written.and(zfs::forget(&state).map_err(self.failed("forget", &state)))
            }
            _ => zfs::copy(&state, &self.whole_name(to), properties)
                .map_err(self.failed("copy", from)),
        }
    }

    fn limit(
        &self,
        (volume, kind): (&str, Files),
        size: Option<u64>,
        making: &Making,
        of: &VolumeId,
    ) -> Result<Option<u64>> {
        let too_small = |from, to| Err(Error::Shrink { volume: of.clone(), from, to });
        if kind.on_disk().is_some() {
            let (wanted, now) = (size.unwrap_or(self.usual_size()), self.disk_size(volume)?);
            return match self.whole(wanted) {
                whole if whole < now && size.is_some() => too_small(now, wanted),
                whole => Ok((whole > now).then_some(wanted)),
            };
        }
        if let (Some(size), Some(found)) = (size, self.find(volume)?)
            && found.referenced > size
        {
            return too_small(found.referenced, size);
        }
        self.limit_files(volume, size, making).map(|()| None)
    }

    fn grow_files(&self, volume: &str, kind: Files, size: u64, mount: &Path) -> Result<()> {
        let Some(file_system) = kind.on_disk() else { return Ok(()) };
        self.grow_disk(volume, size)?;
        mkfs::grow(&self.device(volume), mount, file_system)
            .map_err(self.failed("make larger what is in", volume))
    }

    fn delegates(&self, kind: Files, making: &Making) -> bool {
        kind == Files::Zfs && making.delegate == Some(true)
    }

    fn delegate(&self, volume: &str, namespace: &Path) -> Result<()> {
        zfs::zone(&self.whole_name(volume), namespace).map_err(self.failed("delegate", volume))
    }

    fn found_on(&self, volume: &str) -> Result<Files> {
        let disk = self.activate(volume)?;
        let found = wipefs::signatures(&disk).map_err(self.failed("look at", volume))?;
        let is = |name: &str| found.iter().any(|kind| kind == name);
        match (is("ext4"), is("xfs")) {
            (true, _) => Ok(Files::Ext4),
            (_, true) => Ok(Files::Xfs),
            _ => Err(Error::Stream { why: "it is of a disk that has no files" }),
        }
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

    fn make_disk(&self, volume: &str, size: u64, making: &Making) -> Result<()> {
        self.make_zvol(volume, size, making)?;
        self.activate(volume).map(drop)
    }

    fn grow_disk(&self, volume: &str, size: u64) -> Result<()> {
        self.set(volume, &[("volsize", self.whole(size).to_string())])
    }

    fn disk_size(&self, volume: &str) -> Result<u64> {
        Ok(self.find(volume)?.and_then(|found| found.size).unwrap_or(0))
    }

    fn whole(&self, size: u64) -> u64 {
        size.div_ceil(LARGEST).max(1) * LARGEST
    }

    fn device(&self, volume: &str) -> PathBuf {
        Path::new("/dev/zvol").join(self.whole_name(volume))
    }

    fn activate(&self, volume: &str) -> Result<PathBuf> {
        let device = self.device(volume);
        // The link may be there before what it names, and a while longer.
        let is_there = || std::fs::metadata(&device).is_ok();
        if is_there() {
            return Ok(device);
        }
        let mode = zfs::own_property(&self.whole_name(volume), "volmode");
        // Said again, it would take the device away that comes.
        if mode.map_err(self.failed("look at", volume))? == "none" {
            self.set(volume, &[("volmode", String::from("dev"))])?;
        }
        let end = Instant::now() + PATIENCE;
        while !is_there() {
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
    fn used_by_files(&self, volume: &str, kind: Files, mount: &Path) -> Result<u64> {
        if kind.on_disk().is_some() {
            return disks::used(mount);
        }
        Ok(self.find(volume)?.map_or(0, |found| found.referenced))
    }

    fn scrub(&self, control: &Control) -> Result<Option<Scrubbed>> {
        super::scrub::scrub(zpool(&self.parent), control).map(Some)
    }
}
