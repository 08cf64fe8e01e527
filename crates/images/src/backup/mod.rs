//! Backups of instances, volumes and buckets: a tarball with an index before all else, laid out as LXD does,
//! so that either server reads what the other wrote.
//!
//! ```text
//! backup/index.yaml                    what is in it, and the rows it is made of
//! backup/snapshots/<name>/             the same as below, one folder a snapshot, the oldest first
//! backup/container/                    backup.yaml metadata.yaml templates/ rootfs/
//! backup/volume/  volume-snapshots/    the files of a custom volume, and of its snapshots
//! backup/bucket/names/ blobs/          the objects of a bucket (`objects::Frozen`)
//! backup/container.bin ..              with `optimized`: streams of the driver in the place of files
//! ```
//! The index is not trusted: what it says is checked by who makes rows of it.

use std::path::Path;

use exec::Control;
use serde::{Deserialize, Serialize};
use wire::{
    BackupVolumeSnapshot, Instance, InstanceSnapshot, Profile, StorageBucket, StorageBucketKey,
    StoragePool, StorageVolume,
};

use crate::archive::{self, Next};
use crate::decode::{Source, decoder};
use crate::error::At;
use crate::{Error, Result};

/// What [`Index::optimized_form`] says of ours: a stream of the driver of what is in `rootfs/`, or of the files or the disk of a
/// volume. Each starts from the one before, or from none.
pub const FORM: &str = "microcloud-1";

/// Where the index is.
pub const INDEX: &str = "backup/index.yaml";

/// Bytes of an index: each of a thousand snapshots may say all its options twice.
const MAX_INDEX: u64 = 16 << 20;

/// Entries before the index: folders that hold it.
const MAX_BEFORE: usize = 4;

/// What a backup says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Index {
    /// What it is a backup of.
    pub name: String,
    /// The driver of its pool.
    pub backend: String,
    /// Its pool.
    pub pool: String,
    /// Names of the snapshots in it, the oldest first.
    #[serde(deserialize_with = "maybe")]
    pub snapshots: Vec<String>,
    /// Whether it holds what only the driver can read: `.bin` in the place of each folder.
    pub optimized: bool,
    /// In which form that is; others write it otherwise.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub optimized_form: String,
    /// Whether it says so in a header of its own.
    pub optimized_header: bool,
    /// `container`, `virtual-machine`, `custom` or `bucket`.
    pub r#type: String,
    /// What the rows were.
    pub config: Option<Config>,
}

/// What the rows were.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Instance>,
    /// Its snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "maybe")]
    pub snapshots: Vec<InstanceSnapshot>,
    /// The pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<StoragePool>,
    /// The instance's profiles.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "maybe")]
    pub profiles: Vec<Profile>,
    /// The volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<StorageVolume>,
    /// Its snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "maybe")]
    pub volume_snapshots: Vec<BackupVolumeSnapshot>,
    /// The bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<StorageBucket>,
    /// The keys to it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "maybe")]
    pub bucket_keys: Vec<StorageBucketKey>,
}

/// A list, where nothing is an empty one.
fn maybe<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Index {
    /// Reads the index of a backup. It must come first: nothing else is unpacked to find it.
    pub fn of(file: &Path, control: &Control) -> Result<Index> {
        let source = Source::open(file).map_err(|error| match error {
            Error::UnknownFormat { .. } => {
                Error::NoBackup { why: "neither a tarball nor one through gzip, xz, lzma or zstd" }
            }
            other => other,
        })?;
        if !source.format.is_tar() {
            return Err(Error::NoBackup { why: "it is no tarball" });
        }
        let unpacked = decoder(source.format, source.file).at("read", file)?;
        let (mut text, mut before) = (None, 0);
        archive::walk(file, unpacked, &mut |item| {
            control.check()?;
            let path = item.path.strip_prefix(".").unwrap_or(&item.path);
            if path == Path::new(INDEX) {
                text = Some(item.read_all(MAX_INDEX)?);
                return Ok(Next::Stop);
            }
            before += 1;
            match item.header().entry_type().is_dir() && before <= MAX_BEFORE {
                true => Ok(Next::Go),
                false => Err(Error::NoBackup { why: "it does not begin with backup/index.yaml" }),
            }
        })?;
        Index::parse(&text.ok_or(Error::NoBackup { why: "it has no backup/index.yaml" })?)
    }

    fn parse(text: &[u8]) -> Result<Index> {
        let text = std::str::from_utf8(text).map_err(|e| invalid(&e))?;
        let index: Index = serde_saphyr::from_str(text).map_err(|e| invalid(&e))?;
        if index.name.is_empty() {
            return Err(invalid(&"it names nothing"));
        }
        Ok(index)
    }

    /// Writes the index.
    pub fn text(&self) -> Result<String> {
        yaml(self)
    }
}

impl Config {
    /// Writes `backup.yaml`, which lies beside the files of an instance.
    pub fn text(&self) -> Result<String> {
        yaml(self)
    }
}

fn yaml(value: &impl Serialize) -> Result<String> {
    serde_saphyr::to_string(value).map_err(|e| invalid(&e))
}

fn invalid(e: &dyn std::fmt::Display) -> Error {
    Error::Index { reason: e.to_string().lines().next().unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests;
