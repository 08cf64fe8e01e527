//! Waiting for what happens to an instance.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::running::readable;
use crate::{
    Error, Event,
    error::Result,
    protocol::{Reply, packet},
};

/// A subscription. Its descriptor is readable when there is an event or the monitor is gone.
#[derive(Debug)]
pub struct Watch {
    connection: OwnedFd,
}

impl Watch {
    pub(crate) fn new(connection: OwnedFd) -> Result<Watch> {
        Ok(Watch { connection })
    }

    /// The next event, if there is one; does not block. [`Error::Gone`] when the monitor went
    /// without one: it was killed.
    #[expect(clippy::should_implement_trait, reason = "not an iterator: it does not block or end")]
    pub fn next(&mut self) -> Result<Option<Event>> {
        while readable(self.connection.as_fd())? {
            match packet::recv(self.connection.as_fd())? {
                None => return Err(Error::Gone),
                Some((Reply::Stopped { reason }, _)) => return Ok(Some(Event::Stopped(reason))),
                // A newer monitor may tell more than we know of.
                Some(_) => {}
            }
        }
        Ok(None)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}
