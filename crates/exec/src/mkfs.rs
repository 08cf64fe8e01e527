//! `mkfs.ext4`, `mkfs.xfs`: make an empty file system on a disk; `resize2fs`, `xfs_growfs`: make it larger.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// Some tens of thousands of files on a slow disk.
const POPULATE: Duration = Duration::from_secs(3600);

/// The file systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// ext4.
    #[default]
    Ext4,
    /// XFS.
    Xfs,
}

impl FileSystem {
    /// The program that makes it.
    pub fn program(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "mkfs.ext4",
            FileSystem::Xfs => "mkfs.xfs",
        }
    }

    /// The Debian package with its programs.
    pub fn package(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "e2fsprogs",
            FileSystem::Xfs => "xfsprogs",
        }
    }
}

/// What is mostly in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Anything.
    Any,
    /// Many that are small.
    Small,
}

/// Makes a file system on a disk, whatever is on it. What is not needed at once is not written, so it
/// takes no room on a disk that has none yet; nothing is kept back for the host's root.
pub fn make(disk: &Path, kind: FileSystem, files: Files) -> Result<()> {
    let tool = Tool::new(kind.program(), kind.package());
    let tool = match kind {
        FileSystem::Ext4 => {
            let lazy = "nodiscard,lazy_itable_init=1,lazy_journal_init=1";
            let tool = tool.args(["-q", "-F", "-b", "4096", "-m", "0", "-E", lazy]);
            if files == Files::Small {
                tool.args(["-i", "4096"])
            } else {
                tool.args(["-T", "default"])
            }
        }
        FileSystem::Xfs => tool.args(["-q", "-f", "-K"]),
    };
    run(tool.arg(disk), &Control::none()).map(drop)
}

/// Makes ext4 with the files of a folder, in a part of a file that begins at `start`. What is named is the file
/// system's UUID and the folder.
pub fn populate(
    file: &Path,
    start: u64,
    length: u64,
    (uuid, folder): (&str, &Path),
    control: &Control,
) -> Result<()> {
    let lazy = format!("lazy_itable_init=1,lazy_journal_init=1,offset={start}");
    let tool = Tool::new("mke2fs", "e2fsprogs").timeout(POPULATE);
    let tool =
        tool.args(["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-U", uuid, "-E", &lazy]);
    let tool = tool.arg("-d").arg(folder).arg(file).arg(format!("{}k", length >> 10));
    run(tool, control).map(drop)
}

/// Makes a mounted file system as large as its disk.
pub fn grow(disk: &Path, mount: &Path, kind: FileSystem) -> Result<()> {
    let tool = match kind {
        FileSystem::Ext4 => Tool::new("resize2fs", kind.package()).arg(disk),
        FileSystem::Xfs => Tool::new("xfs_growfs", kind.package()).arg("-d").arg(mount),
    };
    run(tool, &Control::none()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_system_is_made_and_what_was_there_is_no_hindrance() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(400 << 20).unwrap();
        for kind in [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Ext4] {
            if !crate::installed(kind.program()) {
                return eprintln!("SKIP: {} is not installed", kind.program());
            }
            make(file.path(), kind, Files::Small).unwrap();
        }
    }
}
