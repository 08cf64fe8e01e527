//! Progress of an operation: one line on the terminal that is written over.

use std::io::{Write, stderr};

use wire::Operation;

/// A line on standard error, wiped away at the end.
pub(crate) struct Progress {
    shown: bool,
    written: bool,
}

impl Progress {
    pub(crate) fn new(shown: bool) -> Self {
        Self { shown, written: false }
    }

    /// Whether anything will be shown.
    pub(crate) fn shown(&self) -> bool {
        self.shown
    }

    /// Shows how far the operation is.
    pub(crate) fn update(&mut self, operation: &Operation) {
        match operation.progress() {
            Some(text) => self.line(&text),
            None if self.written => self.line(""),
            None => {}
        }
    }

    fn line(&mut self, text: &str) {
        self.written = true;
        let _ = write!(stderr(), "\r\x1b[K{text}");
        let _ = stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.written {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
