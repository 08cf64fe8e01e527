//! Loading a system call filter.

use std::io;

use crate::call::check;

/// Loads a filter for this process and its children. Needs `CAP_SYS_ADMIN` in the user namespace,
/// and sets no `no_new_privs`, so that `sudo` and `su` keep working inside.
pub fn install_filter(filter: &[libc::sock_filter]) -> io::Result<()> {
    let Ok(len) = u16::try_from(filter.len()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions out and writes nothing.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    })
    .map(drop)
}
