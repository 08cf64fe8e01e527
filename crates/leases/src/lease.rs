//! A lease as it is shown to the outside.

use std::{net::IpAddr, time::SystemTime};

use crate::MacAddr;

/// An address in use on the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Instance name, or what the client calls itself; empty when unknown.
    pub hostname: String,
    /// Hardware address; unknown for some DHCPv6 clients.
    pub hwaddr: Option<MacAddr>,
    /// The address.
    pub address: IpAddr,
    /// How it came about.
    pub kind: LeaseKind,
    /// When it ends; `None` for fixed and autoconfigured addresses.
    pub expires: Option<SystemTime>,
}

/// How an address came to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseKind {
    /// The bridge's own.
    Gateway,
    /// Fixed by the operator.
    Static,
    /// Handed out, or formed by the guest from its hardware address.
    Dynamic,
}
