//! Words between the monitor and its children on their way to become a program.
//!
//! There are two: a first one, which makes or joins namespaces, and a second one in them, which
//! becomes the program. Each has a connection of its own, as the second may be quicker.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Fault, Result},
    protocol::packet,
};

/// What the first child is told: ids are mapped, the stage is set. Carries a mount for each of
/// `late`: which of the plan's late disks it is, and whether it is a folder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Go {
    pub(super) late: Vec<(usize, bool)>,
}

/// What the first child tells.
#[derive(Debug, Serialize, Deserialize)]
enum FromFirst {
    Born { pid: i32 },
    Failed { fault: Fault },
}

/// What the second child is told: execute the program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Execute;

/// What the second child tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSecond {
    /// Set up. Init's carries master and slave of the console, a program's the master of its
    /// terminal if it made one.
    Ready,
    /// Carries what its filter asks at; see `intercept`.
    Asking,
    /// The next thing is `execve`: if the connection ends now, it worked.
    Executing,
    Failed {
        fault: Fault,
    },
}

/// One side of both connections.
pub(super) struct Link {
    pub(super) first: OwnedFd,
    pub(super) second: OwnedFd,
}

/// The monitor's side and the children's.
pub(super) fn links() -> Result<(Link, Link)> {
    let (first, child_first) = packet::pair()?;
    let (second, child_second) = packet::pair()?;
    let ours = Link { first, second };
    Ok((ours, Link { first: child_first, second: child_second }))
}

impl Link {
    /// The monitor's: waits for the second child's id.
    pub(super) fn born(&self) -> Result<i32> {
        match packet::recv(self.first.as_fd())? {
            Some((FromFirst::Born { pid }, _)) => Ok(pid),
            Some((FromFirst::Failed { fault }, _)) => Err(fault.into()),
            None => Err(Error::Gone),
        }
    }

    /// The first child's part: `work` forks the second one and returns its id.
    pub(super) fn run_first(&self, work: impl FnOnce() -> Result<i32>) -> i32 {
        let (message, code) = match work() {
            Ok(pid) => (FromFirst::Born { pid }, 0),
            Err(error) => (FromFirst::Failed { fault: Fault::from(&error) }, 1),
        };
        match packet::send(self.first.as_fd(), &message, &[], true) {
            Ok(()) => code,
            Err(_) => 1,
        }
    }

    /// The second child's part, which only returns to fail.
    pub(super) fn run_second<T>(&self, work: impl FnOnce() -> Result<T>) -> i32 {
        if let Err(error) = work() {
            let fault = Fault::from(&error);
            let _ = packet::send(self.second.as_fd(), &FromSecond::Failed { fault }, &[], true);
        }
        1
    }

    /// The second child's word.
    pub(super) fn tell(&self, message: &FromSecond, fds: &[BorrowedFd]) -> Result<()> {
        packet::send(self.second.as_fd(), message, fds, true)
    }

    /// The second child's: what its filter asks at, if it asks.
    pub(super) fn hand_over(&self, asking: Option<OwnedFd>) -> Result<()> {
        match asking {
            Some(asking) => self.tell(&FromSecond::Asking, &[asking.as_fd()]),
            None => Ok(()),
        }
    }

    /// The second child waits; the monitor's end is its end.
    pub(super) fn await_execute(&self) -> Result<()> {
        match packet::recv::<Execute>(self.second.as_fd())? {
            Some(_) => Ok(()),
            None => Err(Error::Gone),
        }
    }
}
