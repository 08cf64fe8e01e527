//! What can go wrong between the client and the daemon.

use std::{io, path::PathBuf};

use tokio_tungstenite::tungstenite;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers at the socket, or we may not use it.
    #[error("cannot connect to {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A server over the network does not answer, or is another.
    #[error("cannot connect to {address}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke during a request.
    #[error("{method} {path}: the connection to the daemon broke")]
    Broken {
        /// Method of the request.
        method: &'static str,
        /// Its path.
        path: String,
        /// Why.
        source: hyper::Error,
    },
    /// A request cannot be written as HTTP.
    #[error("{method} {path} is not a valid request")]
    Invalid {
        /// Method of the request.
        method: &'static str,
        /// Its path.
        path: String,
        /// Why.
        source: hyper::http::Error,
    },
    /// A query cannot be written as text.
    #[error("cannot write the query of {path}")]
    Query {
        /// Path of the request.
        path: String,
        /// Why.
        source: serde_urlencoded::ser::Error,
    },
    /// A body cannot be written as JSON.
    #[error("cannot write the body for {path}")]
    Encode {
        /// Path of the request.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// An answer is not what the API promises.
    #[error("cannot understand the answer of {path} (HTTP status {status})")]
    Decode {
        /// Path of the request.
        path: String,
        /// HTTP status of the answer.
        status: u16,
        /// Why.
        source: serde_json::Error,
    },
    /// The daemon refused the request, or failed.
    #[error("{message}")]
    Api {
        /// HTTP status.
        code: u16,
        /// What the daemon says.
        message: String,
    },
    /// A form of files broke off, or is none.
    #[error("cannot read the files of {path}")]
    Form {
        /// Path of the request.
        path: String,
        /// Why.
        source: multer::Error,
    },
    /// An operation ended badly.
    #[error("{message}")]
    Operation {
        /// Id of the operation.
        id: String,
        /// 400, or 401 when it was cancelled.
        code: u16,
        /// What the daemon says.
        message: String,
    },
    /// A websocket could not be opened, or broke.
    #[error("the websocket {path} broke")]
    Websocket {
        /// Its path.
        path: String,
        /// Why.
        source: Box<tungstenite::Error>,
    },
    /// The daemon gave no secret for a stream.
    #[error("the daemon offers no stream {stream:?} for operation {id}")]
    NoStream {
        /// Name of the stream.
        stream: &'static str,
        /// Id of the operation.
        id: String,
    },
    /// A file to send, or to write to, fails.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What arrives cannot be written on.
    #[error("cannot write what {path} sent")]
    Write {
        /// Path of the request.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// HTTP status when the daemon refused, as in 404 for something that is not there.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { code, .. } | Self::Operation { code, .. } => Some(*code),
            _ => None,
        }
    }
}
