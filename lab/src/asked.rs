//! A request that changes something, and what came of it.

use std::{io, path::Path};

use crate::http::{self, Reply};

/// Seconds that a client waits for an operation.
const PATIENCE: u32 = 30;

/// What came of a request.
#[derive(Debug)]
pub enum Asked {
    /// Acknowledged, to its end.
    Done,
    /// It was not begun: nobody listened, or it was refused at once.
    Refused(String),
    /// It may have been done, or in part: no answer came, or one that it failed.
    Unknown(String),
}

impl Asked {
    /// Why it was not acknowledged, if so.
    ///
    /// # Errors
    /// It was not.
    pub fn done(self) -> Result<(), String> {
        match self {
            Asked::Done => Ok(()),
            Asked::Refused(why) | Asked::Unknown(why) => Err(why),
        }
    }
}

/// Sends a request to a daemon's socket and waits for its operation.
pub fn ask(socket: &Path, method: &str, path: &str, body: &str) -> Asked {
    let reply = match http::send(socket, method, path, &[], body.as_bytes()) {
        Ok(reply) => reply,
        Err(error) => return unsent(&error),
    };
    match (reply.status, reply.body["operation"].as_str()) {
        (202, Some(operation)) => end(socket, operation),
        (200, _) => Asked::Done,
        (status @ (400..=499 | 503), _) => Asked::Refused(format!("{status} {}", reply.error())),
        (status, _) => Asked::Unknown(format!("{status} {}", reply.error())),
    }
}

fn unsent(error: &io::Error) -> Asked {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Asked::Refused(error.to_string())
        }
        _ => Asked::Unknown(error.to_string()),
    }
}

fn end(socket: &Path, operation: &str) -> Asked {
    let path = format!("{operation}/wait?timeout={PATIENCE}");
    match http::send(socket, "GET", &path, &[], b"") {
        Ok(reply) => judged(&reply),
        Err(error) => Asked::Unknown(error.to_string()),
    }
}

fn judged(reply: &Reply) -> Asked {
    let end = &reply.body["metadata"];
    match (end["status_code"].as_u64(), end["err"].as_str()) {
        (Some(200), _) => Asked::Done,
        (_, Some(error)) if !error.is_empty() => Asked::Unknown(error.to_owned()),
        other => Asked::Unknown(format!("its end is not known: {other:?}")),
    }
}
