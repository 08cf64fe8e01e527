//! In what the files of a volume lie, and what a dataset is made with.

use exec::mkfs::FileSystem;
use serde::{Deserialize, Serialize};

use crate::Making;
use crate::dir::Purpose;

/// The largest block of a disk, by zfs-create(8).
pub(super) const LARGEST: u64 = 128 << 10;

/// What a volume of files holds: files of ZFS, or a disk with a file system on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Files {
    Zfs,
    Ext4,
    Xfs,
}

impl Files {
    pub(super) fn of(making: &Making) -> Files {
        match making.block_mode {
            Some(true) => Files::from(making.file_system.unwrap_or_default()),
            _ => Files::Zfs,
        }
    }

    /// The file system of those that are on a disk.
    pub(super) fn on_disk(self) -> Option<FileSystem> {
        match self {
            Files::Zfs => None,
            Files::Ext4 => Some(FileSystem::Ext4),
            Files::Xfs => Some(FileSystem::Xfs),
        }
    }
}

impl From<FileSystem> for Files {
    fn from(kind: FileSystem) -> Files {
        match kind {
            FileSystem::Ext4 => Files::Ext4,
            FileSystem::Xfs => Files::Xfs,
        }
    }
}

/// What a dataset has that is not made empty.
pub(super) fn properties(is_disk: bool, why: Purpose) -> &'static [(&'static str, &'static str)] {
    match (is_disk, why) {
        (false, Purpose::Use | Purpose::Copy) => &[("mountpoint", "legacy")],
        (false, Purpose::Keep) => &[("mountpoint", "legacy"), ("readonly", "on")],
        // That of a device comes from where it lies: said again, the device would go and come once more.
        (true, Purpose::Use | Purpose::Copy) => &[],
        // No device of it is made before somebody opens it.
        (true, Purpose::Keep) => &[("volmode", "none"), ("readonly", "on")],
    }
}

/// Properties and their values.
pub(super) type Properties = Vec<(&'static str, String)>;

/// The limit of files, as properties to set one after the other: nothing may be set aside that is not allowed.
pub(super) fn limits(size: Option<u64>, making: &Making) -> Vec<Properties> {
    let (none, value) = (String::from("none"), size.map(|size| size.to_string()));
    let (own, whole) = match making.files_only {
        // What a guest makes in its dataset is not in the files of it.
        _ if making.delegate == Some(true) => (None, value.clone()),
        Some(false) => (None, value.clone()),
        _ => (value.clone(), None),
    };
    let limit = |value: Option<String>| value.unwrap_or_else(|| none.clone());
    let mut sets = vec![vec![
        ("refreservation", none.clone()),
        ("reservation", none.clone()),
        ("refquota", limit(own)),
        ("quota", limit(whole)),
    ]];
    if let (Some(true), Some(value)) = (making.reserve, value) {
        let key = if sets[0][3].1 != none { "reservation" } else { "refreservation" };
        sets.push(vec![(key, value)]);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_that_of_the_files_unless_snapshots_are_to_count() {
        let find = |sets: &[Properties], key: &str| {
            let found = sets.iter().flatten().filter(|(name, _)| *name == key);
            found.map(|(_, value)| value.clone()).next_back().unwrap()
        };
        let usual = limits(Some(5), &Making::default());
        assert_eq!((&*find(&usual, "refquota"), &*find(&usual, "quota")), ("5", "none"));
        let making = Making { files_only: Some(false), reserve: Some(true), ..Making::default() };
        let whole = limits(Some(5), &making);
        assert_eq!((&*find(&whole, "refquota"), &*find(&whole, "quota")), ("none", "5"));
        assert_eq!((&*find(&whole, "reservation"), whole.len()), ("5", 2));
        assert_eq!(limits(None, &making).len(), 1);
    }

    #[test]
    fn block_mode_is_asked_for() {
        let mut making = Making { file_system: Some(FileSystem::Xfs), ..Making::default() };
        assert_eq!(Files::of(&making), Files::Zfs);
        making.block_mode = Some(true);
        assert_eq!(Files::of(&making), Files::Xfs);
        assert_eq!(serde_json::to_string(&Files::Zfs).unwrap(), r#""zfs""#);
    }
}
