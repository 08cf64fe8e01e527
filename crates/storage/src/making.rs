//! How a volume is made and used, where that is not left to its pool.

use exec::lvm::Stripes;
use exec::mkfs::FileSystem;
use serde::{Deserialize, Serialize};

/// Choices for one volume, or for those of a pool that choose nothing. A driver leaves alone what is another's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Making {
    /// What its files lie in, where it is a disk to the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system: Option<FileSystem>,
    /// Options of that file system's mount, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_options: Option<String>,
    /// Over how many disks a volume of a group is spread, or its thin pool.
    #[serde(skip_serializing_if = "Stripes::is_none")]
    pub stripes: Stripes,
    /// Whether files lie in a file system on a disk of ZFS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_mode: Option<bool>,
    /// Bytes that ZFS compresses and sums together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_size: Option<u64>,
    /// Whether a volume of ZFS has all its room from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve: Option<bool>,
    /// Whether the size of files on ZFS is that of the files alone, without what snapshots of them keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_only: Option<bool>,
    /// Whether a container that has files on ZFS manages their dataset itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegate: Option<bool>,
}

impl Making {
    /// The same, with the pool's choices where it has none.
    #[must_use]
    pub fn or(&self, pool: &Making) -> Making {
        Making {
            file_system: self.file_system.or(pool.file_system),
            mount_options: self.mount_options.clone().or_else(|| pool.mount_options.clone()),
            stripes: if self.stripes.is_none() { pool.stripes } else { self.stripes },
            block_mode: self.block_mode.or(pool.block_mode),
            block_size: self.block_size.or(pool.block_size),
            reserve: self.reserve.or(pool.reserve),
            files_only: self.files_only.or(pool.files_only),
            delegate: self.delegate.or(pool.delegate),
        }
    }

    /// Whether it chooses nothing.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Making::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_volume_does_not_choose_is_the_pools_choice() {
        let pool = Making {
            file_system: Some(FileSystem::Xfs),
            block_size: Some(4096),
            stripes: Stripes { count: Some(2), size: None },
            ..Making::default()
        };
        let own = Making { block_size: Some(8192), block_mode: Some(true), ..Making::default() };
        let both = own.or(&pool);
        assert_eq!((both.file_system, both.block_size), (Some(FileSystem::Xfs), Some(8192)));
        assert_eq!((both.stripes.count, both.block_mode), (Some(2), Some(true)));
        let text = serde_json::to_string(&own).unwrap();
        assert_eq!(text, r#"{"block_mode":true,"block_size":8192}"#);
        assert!(Making::default().is_usual() && !own.is_usual());
        assert_eq!(serde_json::from_str::<Making>(&text).unwrap(), own);
    }
}
