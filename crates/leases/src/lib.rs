//! Addresses and names for one managed bridge: DHCPv4, DHCPv6, router advertisements and DNS.
//!
//! Each protocol is a pure state machine over one [`State`] (configuration, known hosts, lease
//! table): a message and the time come in, at most one reply goes out. [`Service`] puts thin sockets
//! around them and keeps the table in a journal, so that leases survive a restart.
//!
//! ```text
//! packet -> service/{dhcp4,dhcp6,advertise,names}.rs -> State -> reply
//!                                                        |
//!                                                        +-> journal (networks/<name>/leases)
//! ```
//!
//! Called by crate `network`, which makes the bridge and says which addresses are whose. Left out on
//! purpose: DHCP relays, prefix delegation, a DNS cache (the host's resolver has one).

pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
pub mod ra;

mod config;
mod error;
mod hosts;
mod journal;
mod lease;
mod mac;
mod pool;
mod service;
mod state;
mod table;

pub use config::{Dhcp4, Dhcp6, Dns, DnsMode, Ipv4, Ipv6, ServiceConfig};
pub use error::{Error, Result};
pub use hosts::{Host, Hosts};
pub use lease::{Lease, LeaseKind};
pub use mac::{MacAddr, ParseMacError};
pub use pool::Range;
pub use service::Service;
pub use state::State;
pub use table::{Binding, Table};
