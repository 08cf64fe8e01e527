//! Standard output: results go through [`outln!`], never through `println!`.
//!
//! A reader that has seen enough, as in `microcloud list | head -1`, ends the program without a word.

use std::{
    fmt,
    io::{self, Write, stdout},
    process::exit,
};

/// What a shell reports for a program that a closed pipe ended: 128 + SIGPIPE.
pub(crate) const PIPE_CLOSED: u8 = 141;

/// Writes a result.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    check(stdout().lock().write_fmt(text));
}

/// Writes a line of a result.
pub(crate) fn write_line(text: fmt::Arguments<'_>) {
    let mut stdout = stdout().lock();
    check(stdout.write_fmt(text).and_then(|()| stdout.write_all(b"\n")));
}

/// Writes a result that is not text.
pub(crate) fn write_bytes(bytes: &[u8]) {
    let mut stdout = stdout().lock();
    check(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Without its output a command line is of no use: any failure ends it.
fn check(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit(PIPE_CLOSED.into()),
        Err(error) => {
            eprintln!("Error: cannot write to standard output: {error}");
            exit(1)
        }
    }
}

/// Prints a piece of a result.
macro_rules! out {
    ($($part:tt)*) => { $crate::stdout::write(format_args!($($part)*)) };
}

/// Prints a line of a result.
macro_rules! outln {
    ($($part:tt)*) => { $crate::stdout::write_line(format_args!($($part)*)) };
}
