//! Children that serve the instance's files. Each ends when the daemon closes its socket; those that
//! hang in a file system of the instance end with it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    event::{PollFd, PollFlags},
    process::{WaitId, WaitIdOptions, waitid},
};

use super::{serve::Source, start::Instance};
use crate::{Error, error::Result, files::child};

/// At once at most: each is a process.
const MOST: usize = 64;

#[derive(Default)]
pub(super) struct FileServers(Vec<OwnedFd>);

impl FileServers {
    pub(super) fn poll<'a>(&'a self, all: &mut Vec<(Source, PollFd<'a>)>) {
        let each = self.0.iter().enumerate();
        all.extend(each.map(|(n, fd)| (Source::FilesEnd(n), PollFd::new(fd, PollFlags::IN))));
    }

    /// Those that have ended.
    pub(super) fn reap(&mut self) {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        self.0.retain(|fd| matches!(waitid(WaitId::PidFd(fd.as_fd()), ended), Ok(None)));
    }

    /// They hold the root, which is about to be taken away.
    pub(super) fn end(&mut self) {
        for fd in &self.0 {
            // One that is gone cannot be killed: fine.
            let _ = sys::signal_process(fd.as_fd(), libc::SIGKILL);
        }
        for fd in self.0.drain(..) {
            let _ = waitid(WaitId::PidFd(fd.as_fd()), WaitIdOptions::EXITED);
        }
    }
}

impl Instance {
    pub(super) fn serve_files(&mut self) -> Result<OwnedFd> {
        self.running("open files")?;
        if self.files.0.len() >= MOST {
            return Err(Error::Invalid { field: format!("more than {MOST} at its files").into() });
        }
        let (child, socket) = child::start(&self.spec, self.pidfd.as_fd())?;
        self.files.0.push(child.pidfd);
        Ok(socket)
    }
}
