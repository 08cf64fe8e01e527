//! Commands, answers and events.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// A command for QEMU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// Its name.
    #[serde(rename = "execute")]
    pub command: &'static str,
    /// Its arguments.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub arguments: Map<String, Value>,
}

impl Call {
    /// A command without arguments.
    pub fn new(command: &'static str) -> Call {
        Call { command, arguments: Map::new() }
    }

    /// Adds an argument.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Call {
        self.arguments.insert(name.to_owned(), value.into());
        self
    }
}

/// Something that happened in a machine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// Its name: `SHUTDOWN`, `DEVICE_DELETED`.
    #[serde(rename = "event")]
    pub name: String,
    /// What it says.
    #[serde(default)]
    pub data: Value,
    /// When it happened.
    #[serde(default)]
    pub timestamp: Stamp,
}

/// A moment, by the host's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Stamp {
    /// Seconds since 1970; -1 where QEMU does not know.
    pub seconds: i64,
    /// And so many microseconds.
    pub microseconds: i64,
}

impl Stamp {
    /// As it is counted everywhere, where QEMU knows it.
    pub fn since_epoch(self) -> Option<Duration> {
        let seconds = Duration::from_secs(u64::try_from(self.seconds).ok()?);
        Some(seconds + Duration::from_micros(u64::try_from(self.microseconds).ok()?))
    }
}

/// A line of QEMU's.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Event(Event),
    Failed {
        error: Fault,
    },
    Done {
        r#return: Value,
    },
    Greeting {
        #[serde(rename = "QMP")]
        _qmp: Value,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    desc: String,
}

impl Line {
    pub(super) fn parse(text: &[u8]) -> Result<Line> {
        serde_json::from_slice(text).map_err(Error::Answer)
    }
}

impl Fault {
    pub(super) fn of(self, command: &'static str) -> Error {
        Error::Refused { command, why: self.desc }
    }
}
