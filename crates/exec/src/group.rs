//! A child as leader of its own process group, which never outlives its owner.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

pub(crate) struct Group {
    pub(crate) child: Child,
    pid: Pid,
    exit: OwnedFd,
    reaped: bool,
}

impl Group {
    /// Takes over a child that was started as leader of a group.
    pub(crate) fn new(mut child: Child) -> io::Result<Group> {
        let pid = Pid::from_child(&child);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(exit) => Ok(Group { child, pid, exit, reaped: false }),
            Err(error) => {
                let _ = child.kill();
                child.wait()?;
                Err(error.into())
            }
        }
    }

    /// Readable once the leader has ended.
    pub(crate) fn exit(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }

    /// Signals all that is still in the group; nobody there is fine.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.pid, signal);
    }

    /// Takes the leader's status. With `all` the rest of the group is killed first: before the wait,
    /// because only until then nobody else can have this group's number.
    pub(crate) fn reap(mut self, all: bool) -> io::Result<ExitStatus> {
        if all {
            self.signal(Signal::KILL);
        }
        self.reaped = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
