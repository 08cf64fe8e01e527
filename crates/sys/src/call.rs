//! Return values of system calls.

use std::io;

/// A negative value means that `errno` holds the error.
pub(crate) fn check(value: i64) -> io::Result<i64> {
    if value < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}
