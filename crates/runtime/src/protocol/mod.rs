//! The words between a daemon and a monitor.
//!
//! One request and one reply a packet, as JSON, over a SEQPACKET socket that also carries
//! descriptors. A monitor outlives upgrades of the daemon, so both sides read leniently: unknown
//! fields are skipped, missing ones take defaults, and an unknown request is answered with
//! `unsupported`. [`VERSION`] grows when a meaning changes.

pub(crate) mod packet;

use serde::{Deserialize, Serialize};
use spec::{DeviceNode, Limits, Mount};

use crate::{ExecSpec, ExitReason, Info, error::Fault};

/// Version of the protocol.
pub(crate) const VERSION: u32 = 1;

/// Name of the socket in an instance's run folder.
pub(crate) const SOCKET: &str = "monitor.sock";

/// What a daemon asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request")]
pub(crate) enum Request {
    Info,
    Release,
    Signal {
        signal: i32,
    },
    Kill,
    Freeze {
        on: bool,
    },
    /// Kills everything inside at a moment of [`crate::deadline`]; `None` takes that back.
    Deadline {
        at: Option<u64>,
    },
    SetLimits {
        limits: Limits,
    },
    /// Reply carries the network namespace.
    Netns,
    /// Reply carries the ring (a memory file) and a stream.
    Console,
    /// Reply carries the ring.
    ConsoleLog,
    ResizeConsole {
        width: u16,
        height: u16,
    },
    /// Descriptors: three, if `given`. Reply carries a pidfd and the pty or pipes; later, on the
    /// same connection, [`Reply::Exited`].
    Exec {
        spec: ExecSpec,
        given: bool,
        null: bool,
    },
    /// Reply carries a socket: see [`crate::files`].
    Files,
    /// From now on the connection carries events.
    Watch,
    AddMount {
        mount: Mount,
    },
    RemoveMount {
        target: std::path::PathBuf,
    },
    AddDevice {
        device: DeviceNode,
    },
    RemoveDevice {
        path: std::path::PathBuf,
    },
    /// Which device nodes were asked for, at the start or since.
    Devices,
}

/// What a monitor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reply")]
pub(crate) enum Reply {
    Done,
    Created {
        pid: i32,
    },
    Info {
        info: Info,
    },
    Devices {
        devices: Vec<DeviceNode>,
    },
    Started {
        pid: i32,
    },
    /// An exec'd process ended.
    Exited {
        code: i32,
    },
    /// The instance ended.
    Stopped {
        reason: ExitReason,
    },
    Failed {
        fault: Fault,
    },
}
