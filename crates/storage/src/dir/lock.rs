//! Locks by `flock`: they hold between threads, between two openings of a pool, and between processes,
//! and a crash releases them.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::layout::Layout;
use crate::error::At;
use crate::{Result, fsio};

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _fd: OwnedFd,
}

impl Lock {
    /// The pool's lock: nothing is published or deleted while it is held. Hold it for moments only.
    pub(crate) fn pool(layout: &Layout) -> Result<Lock> {
        let path = layout.lock();
        let open =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let fd = OwnedFd::from(open.at("open", &path)?);
        rustix::io::retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::LockExclusive))
            .at("lock", &path)?;
        Ok(Lock { _fd: fd })
    }

    /// The lock on a folder in `tmp/`; None when its builder still lives.
    pub(super) fn folder(path: &Path) -> Result<Option<Lock>> {
        let fd = fsio::open_dir(path)?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _fd: fd })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e).at("lock", path),
        }
    }
}
