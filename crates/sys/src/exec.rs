//! `execve` with everything prepared beforehand.

use std::{
    ffi::{CString, NulError},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
};

use crate::call::check;

/// A program, its arguments and its environment, ready to be executed: prepared in the parent, so
/// that the child does not allocate.
pub struct Image {
    candidates: Vec<CString>,
    argv: Strings,
    env: Strings,
}

impl Image {
    /// Prepares; a program without a slash is looked for in `PATH` of `env`. `argv` is not empty.
    pub fn new(argv: &[String], env: &[(String, String)]) -> Result<Image, NulError> {
        let program = argv.first().map_or("", String::as_str);
        let candidates = if program.contains('/') {
            vec![CString::new(program)?]
        } else {
            let path = env.iter().find(|(key, _)| key == "PATH").map_or("", |(_, value)| value);
            path.split(':')
                .filter(|folder| !folder.is_empty())
                .map(|folder| CString::new(Path::new(folder).join(program).as_os_str().as_bytes()))
                .collect::<Result<_, _>>()?
        };
        let argv = Strings::new(argv.iter().map(String::as_str))?;
        let env: Vec<_> = env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let env = Strings::new(env.iter().map(String::as_str))?;
        Ok(Image { candidates, argv, env })
    }

    /// Becomes the program; returns only on failure.
    pub fn execute(&self) -> io::Error {
        let mut worst = io::Error::from_raw_os_error(libc::ENOENT);
        for candidate in &self.candidates {
            // SAFETY: all are nul-terminated, the arrays end in null, and `self` outlives the call.
            unsafe {
                libc::execve(candidate.as_ptr(), self.argv.as_ptr(), self.env.as_ptr());
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                Some(libc::EACCES) => worst = error,
                _ => return error,
            }
        }
        worst
    }
}

/// A null-terminated array of C strings.
pub(crate) struct Strings {
    _owned: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl Strings {
    pub(crate) fn new<'a>(items: impl Iterator<Item = &'a str>) -> Result<Strings, NulError> {
        let owned = items.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let pointers = owned.iter().map(|item| item.as_ptr()).chain([ptr::null()]).collect();
        Ok(Strings { _owned: owned, pointers })
    }

    pub(crate) fn as_ptr(&self) -> *const *const libc::c_char {
        self.pointers.as_ptr()
    }
}

/// Marks every descriptor from `first` on to be closed by `execve`.
pub fn close_all_on_exec(first: u32) -> io::Result<()> {
    // SAFETY: CLOSE_RANGE_CLOEXEC only sets flags; nothing that is open is closed here.
    check(unsafe {
        libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
    })
    .map(drop)
}

/// Closes every descriptor but these; for a child that was forked and executes no program.
///
/// What the parent's values in the child's memory refer to is gone with it: the child must not use
/// or drop them, which it does not when it ends by the code its work returns ([`crate::fork`]).
pub fn close_others(keep: &[BorrowedFd]) {
    let mut kept: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd().unsigned_abs()).collect();
    kept.sort_unstable();
    let mut first = 0;
    for last in kept.into_iter().map(Some).chain([None]) {
        let end = last.map_or(u32::MAX, |last| last.wrapping_sub(1));
        if last.is_none_or(|last| last > first) {
            // SAFETY: no memory is touched; those that are kept are left out, others not used.
            unsafe { libc::syscall(libc::SYS_close_range, first, end, 0) };
        }
        first = last.map_or(first, |last| last + 1);
    }
}
