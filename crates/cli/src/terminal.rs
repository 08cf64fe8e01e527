//! The terminal: its size, raw mode, and keys as they are pressed.

use std::{
    io::{IsTerminal, Read, stdin, stdout},
    thread,
};

use rustix::termios::{self, OptionalActions, Termios};
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Whether a person sits at both ends.
pub(crate) fn is_interactive() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Columns and rows; `None` when there is no terminal.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = termios::tcgetwinsize(stdout()).ok()?;
    Some((size.ws_col, size.ws_row))
}

/// Raw mode, until it is dropped: keys come one by one, and none means anything here.
pub(crate) struct Raw(Termios);

impl Raw {
    pub(crate) fn enter() -> Result<Self> {
        let failed = |error: rustix::io::Errno| Error::Terminal(error.into());
        let before = termios::tcgetattr(stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(stdin(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// Standard input, read by a thread of its own: made non-blocking it would be so for the shell as well.
pub(crate) fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(8);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stdin().read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
