//! Other keys for an encrypted pool: a new file, or a passphrase that is nowhere but in somebody's head.
//!
//! ```text
//! <id>.key.new written ─> opens the disk, too ─> <id>.key.old = <id>.key ─> .new becomes <id>.key ─> .old opens no more
//! ```
//! Wherever that ends early, the file that is called `<id>.key` opens the disk, and the next use of the pool puts
//! away the rest. A pool with a passphrase has no file: it is opened by who says it, or by a token in the header.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use exec::cryptsetup::{self, Made};
use rustix::fs::MemfdFlags;

use super::Crypt;
use crate::error::At;
use crate::{Error, Result, fsio};

/// What opens a pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secret<'a> {
    /// A file of the server's own.
    File,
    /// What somebody says each time.
    Passphrase(&'a [u8]),
}

/// Something as a file that is nowhere on a disk.
struct InMemory {
    _file: fs::File,
    path: PathBuf,
}

impl InMemory {
    fn new(secret: &[u8]) -> Result<InMemory> {
        let fd =
            rustix::fs::memfd_create("key", MemfdFlags::CLOEXEC).at("make", "a file in memory")?;
        let mut file = fs::File::from(fd);
        file.write_all(secret).at("write", "a file in memory")?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into();
        Ok(InMemory { _file: file, path })
    }
}

impl Crypt<'_> {
    fn beside(&self, end: &str) -> PathBuf {
        self.key.with_extension(end)
    }

    /// Opens the disk with a passphrase.
    pub(super) fn unlock(&self, passphrase: &[u8]) -> Result<()> {
        if fsio::exists(&self.device())? {
            return Ok(());
        }
        let secret = InMemory::new(passphrase)?;
        self.with_disk(|disk| match cryptsetup::fits(disk, &secret.path) {
            true => {
                cryptsetup::open(disk, &secret.path, &self.name).map_err(self.failed("open", disk))
            }
            false => Err(self.wrong("the passphrase does not open it")),
        })
    }

    /// Puts away what a change of keys left that did not come to its end.
    pub(super) fn tidy(&self, disk: &Path) -> Result<()> {
        let (new, old) = (self.beside("key.new"), self.beside("key.old"));
        if fsio::exists(&new)? {
            self.forget(disk, &new)?;
            return fsio::remove_file(&old);
        }
        self.forget(disk, &old)
    }

    /// Removes a file with a key, which opens the disk no longer.
    fn forget(&self, disk: &Path, key: &Path) -> Result<()> {
        if !fsio::exists(key)? {
            return Ok(());
        }
        if cryptsetup::fits(disk, key) {
            cryptsetup::remove_key(disk, key).map_err(self.failed("take a key from", disk))?;
        }
        fsio::remove_file(key)
    }

    /// Gives the disk another key in the place of the one it has.
    pub(super) fn rekey(&self, now: Option<&[u8]>, new: Secret<'_>) -> Result<()> {
        self.with_disk(|disk| {
            self.tidy(disk)?;
            let spoken = now.map(InMemory::new).transpose()?;
            let old = match (&spoken, fsio::exists(&self.key)?) {
                (Some(spoken), _) => spoken.path.clone(),
                (None, true) => self.key.clone(),
                (None, false) => return Err(self.wrong("say the passphrase that it has now")),
            };
            if !cryptsetup::fits(disk, &old) {
                return Err(self.wrong("what it is to be opened with does not open it"));
            }
            match new {
                Secret::File => self.to_file(disk, &old)?,
                Secret::Passphrase(new) => self.to_passphrase(disk, &old, new)?,
            }
            match spoken {
                Some(spoken) if new != Secret::Passphrase(now.unwrap_or_default()) => {
                    cryptsetup::remove_key(disk, &spoken.path)
                        .map_err(self.failed("take a key from", disk))
                }
                _ => self.tidy(disk),
            }
        })
    }

    fn to_file(&self, disk: &Path, old: &Path) -> Result<()> {
        let (new, away) = (self.beside("key.new"), self.beside("key.old"));
        self.write_key(&new)?;
        cryptsetup::add_key(disk, old, &new, Made::Random)
            .map_err(self.failed("give a key to", disk))?;
        if fsio::exists(&self.key)? {
            fs::hard_link(&self.key, &away).at("link", &away)?;
        }
        fs::rename(&new, &self.key).at("rename", &new)?;
        fsio::sync_dir(self.key.parent().unwrap_or(Path::new("/")))
    }

    fn to_passphrase(&self, disk: &Path, old: &Path, new: &[u8]) -> Result<()> {
        if new.is_empty() {
            return Err(self.wrong("a passphrase has at least one character"));
        }
        let secret = InMemory::new(new)?;
        if !cryptsetup::fits(disk, &secret.path) {
            cryptsetup::add_key(disk, old, &secret.path, Made::Passphrase)
                .map_err(self.failed("give a passphrase to", disk))?;
        }
        if fsio::exists(&self.key)? {
            let away = self.beside("key.old");
            fs::rename(&self.key, &away).at("rename", &away)?;
            fsio::sync_dir(self.key.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(())
    }

    fn wrong(&self, why: &'static str) -> Error {
        Error::Key { path: self.spec.path.clone(), why }
    }
}
