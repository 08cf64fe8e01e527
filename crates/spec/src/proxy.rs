//! What comes in at one side of an instance's wall and goes out at the other.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A proxy of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxySpec {
    /// [`crate::VERSION`] of the writer.
    pub version: u32,
    /// The device's name.
    pub device: String,
    /// Of which start of the instance it is.
    pub generation: u64,
    /// Where it listens.
    pub listen: End,
    /// What it connects to: one port, or as many as it listens at.
    pub connect: End,
    /// Whether it listens inside and connects outside; else the other way.
    #[serde(default)]
    pub inside: bool,
    /// Whether the target is told who connected (HAProxy's PROXY protocol).
    #[serde(default)]
    pub header: bool,
    /// User, group and mode of a socket at a path to listen at.
    #[serde(default)]
    pub socket: SocketOwner,
    /// The user as whom it connects, on the side where it does; `None` is root for sockets, else nobody.
    #[serde(default)]
    pub uid: Option<u32>,
    /// The group, the same way.
    #[serde(default)]
    pub gid: Option<u32>,
}

/// One end of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum End {
    /// Ports of an address.
    Ip {
        /// Datagrams; else streams.
        udp: bool,
        /// The address.
        address: IpAddr,
        /// At least one.
        ports: Vec<u16>,
    },
    /// A socket at a path.
    Path {
        /// The path, on the side it is on.
        path: String,
    },
    /// A socket in no folder.
    Abstract {
        /// Without a zero before it.
        name: String,
    },
}

impl End {
    /// Whether it is of datagrams.
    pub fn is_udp(&self) -> bool {
        matches!(self, End::Ip { udp: true, .. })
    }

    /// Whether it is a socket of the machine's own.
    pub fn is_unix(&self) -> bool {
        !matches!(self, End::Ip { .. })
    }
}

/// User, group and mode of a socket at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOwner {
    /// User, as the side counts that it is on.
    pub uid: u32,
    /// Group, as the side counts that it is on.
    pub gid: u32,
    /// Permissions.
    pub mode: u32,
}

impl Default for SocketOwner {
    fn default() -> Self {
        SocketOwner { uid: 0, gid: 0, mode: 0o644 }
    }
}
