//! Files with contents: how they are called and where they are.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;
use crate::error::At;

/// The folders of a store that hold contents.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// Makes the folders that are not there.
    pub(crate) fn open(root: &Path) -> Result<Blobs> {
        let blobs = Blobs::at(root);
        for folder in [blobs.incoming(), blobs.root.join("blobs")] {
            make_folder(&folder)?;
        }
        sync_folder(root)?;
        Ok(blobs)
    }

    /// Of folders that are there.
    pub(crate) fn at(root: &Path) -> Blobs {
        Blobs { root: root.to_owned() }
    }

    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// Where a blob is first.
    pub(crate) fn new_place(&self, blob: &str) -> PathBuf {
        self.incoming().join(blob)
    }

    /// Where it is later; one folder would become slow on some file systems.
    pub(crate) fn place(&self, blob: &str) -> PathBuf {
        let shard = blob.get(blob.len().saturating_sub(2)..).unwrap_or_default();
        self.root.join("blobs").join(shard).join(blob)
    }

    /// Begins a blob that nobody knows yet.
    pub(crate) fn create(&self) -> Result<(String, File)> {
        let blob = unique();
        let path = self.new_place(&blob);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        Ok((blob, file.at("create", &path)?))
    }

    /// A second name for a blob.
    pub(crate) fn link(&self, blob: &str) -> Result<String> {
        let copy = unique();
        let to = self.new_place(&copy);
        match fs::hard_link(self.place(blob), &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::hard_link(self.new_place(blob), &to).at("link", &to)?;
            }
            other => other.at("link", &to)?,
        }
        Ok(copy)
    }

    /// Makes the names of new blobs durable.
    pub(crate) fn sync(&self) -> Result<()> {
        sync_folder(&self.incoming())
    }

    /// Moves a blob that has a name in the index to where it stays. After a power cut it may be back.
    pub(crate) fn settle(&self, blob: &str) -> Result<()> {
        let (from, to) = (self.new_place(blob), self.place(blob));
        if let Some(folder) = to.parent() {
            make_folder(folder)?;
        }
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.at("rename", &from),
        }
    }

    pub(crate) fn read(&self, blob: &str) -> Result<File> {
        let path = self.place(blob);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It may be on its way just now.
                let there = File::open(self.new_place(blob)).or_else(|_| File::open(&path));
                there.at("open", &path)
            }
            other => other.at("open", &path),
        }
    }

    /// Removes a blob; an absent one is Ok.
    pub(crate) fn remove(&self, blob: &str) -> Result<()> {
        for path in [self.new_place(blob), self.place(blob)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).at("remove", &path);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).at("make folder", path),
    }
}

pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).at("sync", path)
}

/// A name no other thread, process or earlier run has. Its end varies most.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = clock::since_1970();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:x}{:x}{count:04x}", now.as_nanos(), std::process::id())
}
