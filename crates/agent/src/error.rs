//! What can go wrong with an agent.

use std::{borrow::Cow, io};

use crate::words::Fault;

/// A failure of an agent, or of reaching it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A step failed inside.
    #[error("{operation} {object}")]
    Step {
        /// What was tried: `execute`, `enter`.
        operation: Cow<'static, str>,
        /// On what.
        object: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The connection ended: the agent, the machine or the port is gone.
    #[error("the agent inside the virtual machine is not there (any more)")]
    Gone,
    /// No answer in time.
    #[error("the agent inside the virtual machine did not {call} in time")]
    Late {
        /// What was asked for.
        call: &'static str,
    },
    /// Neither end speaks a version of the protocol that the other knows.
    #[error(
        "the agent inside the virtual machine ({version}) speaks another version of the protocol: \
         restart the machine to give it the agent of this server"
    )]
    Version {
        /// Its version.
        version: String,
    },
    /// An older agent that does not know the request.
    #[error("the agent inside the virtual machine does not know how to {call}")]
    Unsupported {
        /// What was asked for.
        call: &'static str,
    },
    /// It said what no agent says.
    #[error("what the agent inside the virtual machine answered to {call} makes no sense")]
    Nonsense {
        /// What was asked for.
        call: &'static str,
    },
    /// Something of the daemon's own, such as a pipe.
    #[error("{verb} for the agent")]
    Local {
        /// What was tried: `make pipes`.
        verb: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// The result of anything here.
pub type Result<T> = std::result::Result<T, Error>;

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        let source = fault.source();
        Error::Step { operation: fault.operation.into(), object: fault.object, source }
    }
}

/// So that a virtual machine and a container can be treated alike.
impl From<Error> for runtime::Error {
    fn from(error: Error) -> runtime::Error {
        match error {
            Error::Step { operation, object, source } => {
                runtime::Error::Step { operation, object, source }
            }
            other => runtime::Error::Step {
                operation: "reach".into(),
                object: String::from("the agent"),
                source: io::Error::new(kind(&other), other),
            },
        }
    }
}

fn kind(error: &Error) -> io::ErrorKind {
    match error {
        Error::Late { .. } => io::ErrorKind::TimedOut,
        Error::Gone => io::ErrorKind::NotConnected,
        Error::Unsupported { .. } | Error::Version { .. } => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::InvalidData,
    }
}
