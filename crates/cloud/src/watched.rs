//! Descriptors among the async threads.

use std::{io, os::fd::OwnedFd};

use tokio::io::unix::AsyncFd;

/// Lets tokio tell when a descriptor can be read or written.
#[expect(
    deprecated,
    reason = "the replacement is unsafe: it asks that the descriptor stays open, as an OwnedFd does"
)]
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}
