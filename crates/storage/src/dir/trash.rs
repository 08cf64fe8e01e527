//! Deleting is a rename into `trash/`; one thread of the pool removes the files later.
//!
//! The rename is durable when it returns, or a power cut would bring back what the database no longer
//! knows. What is left in `trash/` by a crash goes at the next open.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::layout::Layout;
use super::trees::Trees;
use crate::Result;
use crate::fsio::{self, Moved};

/// The way into `trash/`. Removal goes on after the pool is closed.
#[derive(Debug)]
pub(super) struct Trash {
    folder: PathBuf,
    remover: Sender<PathBuf>,
}

impl Trash {
    pub(super) fn new(layout: &Layout, trees: Arc<dyn Trees>) -> Trash {
        let (remover, jobs) = channel::<PathBuf>();
        let work = move || {
            for path in jobs {
                // What cannot be removed now is tried again at the next open.
                let _ = trees.remove(&path);
            }
        };
        // Without a thread the sends below fail, and the next open removes everything.
        let _ = thread::Builder::new().name("storage-trash".into()).spawn(work);
        Trash { folder: layout.trash(), remover }
    }

    /// Takes a folder out of the way; an absent one is Ok.
    pub(super) fn throw(&self, path: &Path) -> Result<()> {
        loop {
            let to = self.folder.join(fsio::unique());
            match fsio::move_new(path, &to)? {
                Moved::Yes => {
                    if let Some(folder) = path.parent() {
                        fsio::sync_dir(folder)?;
                    }
                    self.remove_later(to);
                    return Ok(());
                }
                Moved::NoSource => return Ok(()),
                Moved::TargetExists => {}
            }
        }
    }

    /// Removes what earlier runs left.
    pub(super) fn empty(&self) -> Result<()> {
        for name in fsio::names(&self.folder)? {
            self.remove_later(self.folder.join(name));
        }
        Ok(())
    }

    fn remove_later(&self, path: PathBuf) {
        let _ = self.remover.send(path);
    }
}

/// Removes whatever is at `path` if it is in nobody's way.
pub(super) fn remove_now(trees: &dyn Trees, path: &Path) {
    if fs::symlink_metadata(path).is_ok() {
        let _ = trees.remove(path);
    }
}
