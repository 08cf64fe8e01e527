//! What can go wrong, and how it travels from a monitor to the daemon.

use std::{borrow::Cow, io, path::Path};

use serde::{Deserialize, Serialize};

/// A failure of the runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A step failed, here or in a monitor.
    #[error("{operation} {object}")]
    Step {
        /// What was tried: `mount`, `write`.
        operation: Cow<'static, str>,
        /// On what.
        object: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The monitor is not there (any more).
    #[error("the instance is not running")]
    Gone,
    /// Another monitor holds the instance's folder.
    #[error("a monitor of {run_dir} is running already")]
    Running {
        /// The folder.
        run_dir: String,
    },
    /// Nothing can be started in a frozen instance.
    #[error("the instance is frozen")]
    Frozen,
    /// The instance was released already, or is not released yet.
    #[error("cannot {request} while the instance is {state:?}")]
    State {
        /// What was asked for.
        request: Cow<'static, str>,
        /// Its state.
        state: crate::State,
    },
    /// The monitor is older or newer than this daemon and does not know the request.
    #[error("the monitor does not know this request")]
    Unsupported,
    /// A specification that cannot be carried out.
    #[error("invalid specification: {field}")]
    Invalid {
        /// Which part, and why.
        field: Cow<'static, str>,
    },
    /// A message that could not be read or written.
    #[error("message of a monitor")]
    Message(#[from] serde_json::Error),
    /// The kernel here lacks a control group hierarchy with the needed controller.
    #[error("no control group file {file}: the kernel lacks this limit here")]
    NoController {
        /// Name of the missing file.
        file: Cow<'static, str>,
    },
}

/// The result of anything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Names the step that failed.
pub(crate) trait At<T> {
    fn at(self, operation: &'static str, object: impl AsRef<Path>) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, operation: &'static str, object: impl AsRef<Path>) -> Result<T> {
        self.map_err(|error| Error::Step {
            operation: operation.into(),
            object: object.as_ref().display().to_string(),
            source: error.into(),
        })
    }
}

/// An [`Error`] as it travels between processes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub(crate) enum Fault {
    Step { operation: String, object: String, errno: i32, detail: String },
    Running { run_dir: String },
    Frozen,
    State { request: String, state: crate::State },
    Unsupported,
    Invalid { field: String },
    NoController { file: String },
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Fault {
        match error {
            Error::Step { operation, object, source } => Fault::Step {
                operation: operation.to_string(),
                object: object.clone(),
                errno: source.raw_os_error().unwrap_or(0),
                detail: source.to_string(),
            },
            Error::Running { run_dir } => Fault::Running { run_dir: run_dir.clone() },
            Error::Frozen => Fault::Frozen,
            Error::State { request, state } => {
                Fault::State { request: request.to_string(), state: *state }
            }
            Error::Unsupported | Error::Message(_) => Fault::Unsupported,
            Error::Invalid { field } => Fault::Invalid { field: field.to_string() },
            Error::NoController { file } => Fault::NoController { file: file.to_string() },
            Error::Gone => Fault::Step {
                operation: "reach".to_owned(),
                object: "PID 1".to_owned(),
                errno: libc::ESRCH,
                detail: String::new(),
            },
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            // Its first process ended just before it was reached.
            Fault::Step { operation, errno: libc::ESRCH, .. }
                if matches!(operation.as_str(), "join" | "reach") =>
            {
                Error::Gone
            }
            Fault::Step { operation, object, errno, detail } => Error::Step {
                operation: operation.into(),
                object,
                source: match errno {
                    0 => io::Error::other(detail),
                    errno => io::Error::from_raw_os_error(errno),
                },
            },
            Fault::Running { run_dir } => Error::Running { run_dir },
            Fault::Frozen => Error::Frozen,
            Fault::State { request, state } => Error::State { request: request.into(), state },
            Fault::Unsupported => Error::Unsupported,
            Fault::Invalid { field } => Error::Invalid { field: field.into() },
            Fault::NoController { file } => Error::NoController { file: file.into() },
        }
    }
}
