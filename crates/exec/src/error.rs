//! What can go wrong when a program is run.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::control::Cancelled;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a program gave no result. `command` is the program with its arguments, cut when long.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program is on no folder of `PATH`.
    #[error("program {program} is not installed: apt install {package}")]
    Missing {
        /// The program's name.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// No variable names an editor, and none of the usual ones is installed.
    #[error("there is no editor: set EDITOR, or apt install nano")]
    NoEditor,
    /// The kernel refused to start it.
    #[error("start `{command}`")]
    Start {
        /// Program and arguments.
        command: String,
        /// The kernel's reason.
        #[source]
        source: io::Error,
    },
    /// Its pipes or its exit could not be watched.
    #[error("watch `{command}`")]
    Watch {
        /// Program and arguments.
        command: String,
        /// The kernel's reason.
        #[source]
        source: io::Error,
    },
    /// It ended with a status its caller does not accept.
    #[error("`{command}` failed with {status}{}", after_colon(.stderr))]
    Failed {
        /// Program and arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it wrote to its standard error.
        stderr: String,
    },
    /// It ran longer than it was given; it and its children were killed.
    #[error("`{command}` was stopped after {} s{}", .limit.as_secs_f32(), after_colon(.stderr))]
    Timeout {
        /// Program and arguments.
        command: String,
        /// The time it was given.
        limit: Duration,
        /// The last lines it wrote to its standard error.
        stderr: String,
    },
    /// Its [`crate::Control`] was cancelled; it and its children were killed.
    #[error("`{command}` was cancelled")]
    Cancelled {
        /// Program and arguments.
        command: String,
        /// For callers that look for it by type.
        #[source]
        source: Cancelled,
    },
    /// It wrote more than its caller wants to keep in memory.
    #[error("`{command}` wrote more than {limit} bytes")]
    TooMuchOutput {
        /// Program and arguments.
        command: String,
        /// The bound, in bytes.
        limit: usize,
    },
    /// What it is to make is there already.
    #[error("{} exists already", .path.display())]
    Exists {
        /// The file or folder.
        path: PathBuf,
    },
    /// Its output is not the JSON it promises.
    #[error("read the JSON that {program} wrote")]
    Json {
        /// The program's name.
        program: &'static str,
        /// Where the text stops being JSON.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// Whether it failed because somebody cancelled it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Error::Cancelled { .. })
    }

    /// Whether it ended because nobody reads any more what it writes.
    pub fn is_broken_pipe(&self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        let pipe = Some(rustix::process::Signal::PIPE.as_raw());
        let by_signal = matches!(self, Error::Failed { status, .. } if status.signal() == pipe);
        by_signal || self.stderr_has("roken pipe")
    }

    /// The number that the program ended with by itself, which its caller did not accept.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Error::Failed { status, .. } => status.code(),
            _ => None,
        }
    }

    /// Whether the program ended by itself with a failure that mentions `words`.
    pub fn stderr_has(&self, words: &str) -> bool {
        matches!(self, Error::Failed { stderr, .. } if stderr.contains(words))
    }
}

fn after_colon(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}
