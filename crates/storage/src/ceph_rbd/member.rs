//! Who this member is to the others of a pool, and what it makes at the moment.
//!
//! ```text
//! <pool>/member        a random identity, which is part of the name of what it makes
//! <pool>/making/UUID   locked while that is made: a crash lets go of it
//! <pool>/making/UUID.fill/   where what becomes a disk is written
//! <pool>/mounts/IMAGE/ where files are mounted
//! <pool>/disks/NAME    which image a disk of this machine is
//! ```

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use uuid::Uuid;

use crate::error::At;
use crate::{Result, dir, fallback, fsio};

/// The folder of a pool on this member.
#[derive(Debug)]
pub(super) struct Member {
    root: PathBuf,
    /// Its identity.
    pub(super) id: Uuid,
}

impl Member {
    /// That of a pool; made where it is not there.
    pub(super) fn of(root: &Path) -> Result<Member> {
        fs::create_dir_all(root).at("make folder", root)?;
        for folder in ["making", "mounts", "disks"] {
            fsio::ensure_dir(&root.join(folder), 0o711)?;
        }
        let file = root.join("member");
        let known = fsio::read(&file)?.and_then(|text| Uuid::try_parse_ascii(&text).ok());
        let id = match known {
            Some(id) => id,
            None => {
                let id = Uuid::new_v4();
                fsio::replace(&file, id.to_string().as_bytes())?;
                id
            }
        };
        Ok(Member { root: root.to_owned(), id })
    }

    pub(super) fn mounts(&self) -> PathBuf {
        self.root.join("mounts")
    }

    /// What says which image a disk is.
    pub(super) fn disk(&self, device: &Path) -> PathBuf {
        self.root.join("disks").join(device.file_name().unwrap_or_default())
    }

    /// Begins to make something.
    pub(super) fn begin(&self, uuid: Uuid) -> Result<Lock> {
        let path = self.lock(uuid);
        loop {
            let mut open = OpenOptions::new();
            open.write(true).create(true).truncate(false).mode(0o600);
            let file = open.open(&path).at("create", &path)?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive).at("lock", &path)?;
            // Somebody who cleans up may have removed it before it was locked.
            if fsio::exists(&path)? {
                return Ok(Lock { _file: file, fill: self.fill(uuid), path });
            }
        }
    }

    /// Whether nobody makes it any more.
    pub(super) fn is_left(&self, uuid: Uuid) -> Result<bool> {
        let path = self.lock(uuid);
        if !fsio::exists(&path)? {
            return Ok(true);
        }
        let file = File::open(&path).at("open", &path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error).at("lock", &path),
        }
    }

    /// Removes the files of what nobody makes any more.
    pub(super) fn clean(&self) -> Result<()> {
        for name in fsio::names(&self.root.join("making"))? {
            let Ok(uuid) = Uuid::try_parse(name.trim_end_matches(".fill")) else { continue };
            if self.is_left(uuid)? {
                fallback::remove_tree(&self.fill(uuid))?;
                fsio::remove_file(&self.lock(uuid))?;
            }
        }
        Ok(())
    }

    fn lock(&self, uuid: Uuid) -> PathBuf {
        self.root.join("making").join(uuid.simple().to_string())
    }

    fn fill(&self, uuid: Uuid) -> PathBuf {
        self.root.join("making").join(format!("{}.fill", uuid.simple()))
    }

    /// Removes the folder, in which nothing is mounted any more.
    pub(super) fn forget(root: &Path) -> Result<()> {
        for name in fsio::names(&root.join("mounts"))? {
            // What somebody still uses is not empty.
            let _ = fs::remove_dir(root.join("mounts").join(name));
        }
        let _ = fs::remove_dir(root.join("mounts"));
        fallback::remove_tree(&root.join("making"))?;
        fallback::remove_tree(&root.join("disks"))?;
        fsio::remove_file(&root.join("member"))?;
        dir::remove_dir(root)
    }
}

/// Held while something is made.
pub(super) struct Lock {
    _file: File,
    path: PathBuf,
    fill: PathBuf,
}

impl Lock {
    /// A folder for what becomes a disk.
    pub(super) fn folder(&self) -> Result<&Path> {
        fsio::ensure_dir(&self.fill, 0o700)?;
        Ok(&self.fill)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The next open removes what stays.
        let _ = fallback::remove_tree(&self.fill);
        let _ = fsio::remove_file(&self.path);
    }
}
