//! Subvolumes as streams of the kernel, and what they are known by.
//!
//! What was sent is known by the identity of the subvolume and the transaction that changed it last; who
//! receives it notes both. Neither side has changed since if the numbers still say so.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use exec::Control;
use uuid::Uuid;

use super::receive;
use super::subvolumes::{self, Subvolumes, is_subvolume, place};
use crate::dir::{Purpose, TreeStreams};
use crate::error::At;
use crate::streams::Outgoing;
use crate::{Error, Result, fsio};

/// A frozen subvolume that is to be sent.
struct Frozen {
    tree: OwnedFd,
    path: PathBuf,
    /// The number of the frozen base.
    base: Option<u64>,
    id: Option<String>,
}

impl Outgoing for Frozen {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Ends when the reader goes away, so a cancelled one does not keep it.
    fn send(&self, to: OwnedFd, _: &Control) -> Result<()> {
        sys::send_subvolume(self.tree.as_fd(), self.base, to.as_fd()).at("send", &self.path)
    }
}

impl TreeStreams for Subvolumes {
    fn known(&self, path: &Path) -> Result<Option<(Vec<String>, u64)>> {
        if !is_subvolume(path)? {
            return Ok(None);
        }
        let found = identify(path)?;
        let mut ids = vec![id(found.uuid, found.changed)];
        let (origin, sent) = found.origin;
        if origin != [0; 16] && found.changed <= found.received {
            ids.push(id(origin, sent));
        }
        Ok(Some((ids, found.made)))
    }

    fn prepare<'a>(
        &'a self,
        path: &Path,
        base: Option<&Path>,
        why: Purpose,
        work: &Path,
    ) -> Result<Option<Box<dyn Outgoing + 'a>>> {
        // The kernel leaves out subvolumes in it.
        if !is_subvolume(path)? || subvolumes::has_inner(path)? {
            return Ok(None);
        }
        let id = match why {
            Purpose::Keep => self.known(path)?.and_then(|(ids, _)| ids.into_iter().next_back()),
            Purpose::Use | Purpose::Copy => None,
        };
        let frozen = freeze(path, &work.join("sent"))?;
        let base = match base {
            Some(base) if is_subvolume(base)? && !subvolumes::has_inner(base)? => {
                let base = freeze(base, &work.join("base"))?;
                Some(sys::identify_subvolume(base.as_fd()).at("look at", work)?.tree)
            }
            Some(_) => return Ok(None),
            None => None,
        };
        Ok(Some(Box::new(Frozen { tree: frozen, path: path.to_owned(), base, id })))
    }

    fn receive(
        &self,
        base: Option<&Path>,
        to: &Path,
        kept: Option<Option<&str>>,
        from: OwnedFd,
        control: &Control,
    ) -> Result<()> {
        receive::receive(base, to, from, control)?;
        let Some(Some(id)) = kept else { return Ok(()) };
        // What is written later would count as a change.
        fsio::sync_fs(to)?;
        let origin =
            parse(id).ok_or(Error::Stream { why: "it is known by no name of a subvolume" })?;
        sys::note_origin(fsio::open_dir(to)?.as_fd(), origin).at("note the origin of", to)
    }
}

fn identify(path: &Path) -> Result<sys::Subvolume> {
    sys::identify_subvolume(fsio::open_dir(path)?.as_fd()).at("look at", path)
}

fn freeze(path: &Path, to: &Path) -> Result<OwnedFd> {
    let (folder, name) = place(to)?;
    sys::freeze_subvolume(fsio::open_dir(path)?.as_fd(), folder.as_fd(), &name)
        .at("take a snapshot of", path)?;
    fsio::open_dir(to)
}

fn id(uuid: [u8; 16], transaction: u64) -> String {
    format!("{}:{transaction}", Uuid::from_bytes(uuid).simple())
}

fn parse(id: &str) -> Option<([u8; 16], u64)> {
    let (uuid, transaction) = id.split_once(':')?;
    Some((Uuid::parse_str(uuid).ok()?.into_bytes(), transaction.parse().ok()?))
}
