//! What stands in the place of a tree or a disk: a small file that says which volume of the backing it is.
//!
//! Such a volume has a name that never changes, and the file is renamed, swapped and thrown away as a
//! folder would be. So no crash leaves a name and its volume apart: either a file names a volume, or
//! nobody does and it is removed at the next open.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::dir::{Layout, Lock};
use crate::{Error, Result, VolumeKind, fsio};

/// The names of trees and disks in the folder of a volume; `filling` is there while it is filled.
const NAMES: [&str; 4] = ["rootfs", "data", "root.img", FILLING];
pub(super) const FILLING: &str = "filling";
/// What names of volumes begin with; the rest is random.
const PREFIX: &str = "v_";

/// Which volume it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reference<K> {
    pub(super) volume: String,
    /// What is in it; None for a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_system: Option<K>,
    /// Options of its mounts that are not the pool's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mount_options: Option<String>,
}

/// What all of them have.
#[derive(Deserialize)]
struct Named {
    volume: String,
}

impl<K: Serialize + DeserializeOwned> Reference<K> {
    /// One to a volume that is not there yet.
    pub(super) fn new(file_system: Option<K>) -> Self {
        let volume = format!("{PREFIX}{}", Uuid::new_v4().simple());
        Reference { volume, file_system, mount_options: None }
    }

    /// The same, with options for its mounts.
    pub(super) fn mounted_with(self, options: Option<String>) -> Self {
        Reference { mount_options: options, ..self }
    }

    /// None where there is none.
    pub(super) fn find(path: &Path) -> Result<Option<Self>> {
        load(path)
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        use std::io::{Error as Io, ErrorKind::NotFound};
        let gone =
            || Error::Io { doing: "read", path: path.to_owned(), source: Io::from(NotFound) };
        Reference::find(path)?.ok_or_else(gone)
    }

    /// Says something else of the same volume.
    pub(super) fn replace(&self, path: &Path) -> Result<()> {
        fsio::replace(path, &self.text(path)?)
    }

    /// Durable before the volume is made, so that whoever sees the volume sees the file.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        fsio::write_new(path, &self.text(path)?)
    }

    fn text(&self, path: &Path) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|source| Error::Damaged { path: path.to_owned(), source })
    }
}

fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(data) = fsio::read(path)? else { return Ok(None) };
    let damaged = |source| Error::Damaged { path: path.to_owned(), source };
    serde_json::from_slice(&data).map(Some).map_err(damaged)
}

/// Whether a volume is one that a reference may name.
pub(crate) fn is_named_so(volume: &str) -> bool {
    volume.starts_with(PREFIX)
}

/// Those in the folder of a volume, a snapshot or a build, with those of its snapshots.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for name in NAMES {
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|stat| stat.is_file()) {
            found.extend(load::<Named>(&path)?.map(|named| named.volume));
        }
    }
    let snapshots = folder.join("snapshots");
    for name in fsio::names(&snapshots)? {
        found.extend(in_folder(&snapshots.join(name))?);
    }
    Ok(found)
}

/// Those of a whole pool, while nobody renames anything.
pub(crate) fn in_pool(root: &Path) -> Result<Vec<String>> {
    let layout = Layout::new(root);
    let _lock = Lock::pool(&layout)?;
    let kinds = VolumeKind::ALL.iter().map(|kind| layout.kind(*kind));
    let mut found = Vec::new();
    for folder in kinds.chain([layout.tmp(), layout.trash()]) {
        for name in fsio::names(&folder)? {
            found.extend(in_folder(&folder.join(name))?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_wherever_a_volume_lies() {
        let pool = tempfile::tempdir().unwrap();
        let place = |path: &str| {
            let path = pool.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let reference = Reference::new(Some(String::from("xfs")));
            reference.write(&path).unwrap();
            assert_eq!(Reference::read(&path).unwrap(), reference);
            reference.volume
        };
        let mut made = vec![
            place("containers/a/rootfs"),
            place("containers/a/snapshots/s/rootfs"),
            place("custom/p_b/data"),
            place("tmp/1-2-3/filling"),
            place("trash/1-2-4/root.img"),
        ];
        fs::create_dir_all(pool.path().join("images/f00/rootfs")).unwrap();
        let mut found = in_pool(pool.path()).unwrap();
        found.sort();
        made.sort();
        assert_eq!(found, made);
        assert!(found.iter().all(|name| is_named_so(name)));
    }
}
