//! Networks of one machine: what should exist is planned, compared with what does, and changed.
//!
//! ```text
//! NetworkSpec + Facts --plan--> Desired --diff(Observed)--> [Change] --Plane--> kernel, nft, leases
//! ```
//!
//! A driver only plans (pure); [`diff`] is pure too; [`Plane`] alone acts. So repair after a crash is
//! the code that creates. Called by crate `cloud`, which knows projects and configuration maps; here
//! there are only links and addresses.
//!
//! | module | what it is |
//! |---|---|
//! | `spec` | what the caller wants |
//! | `facts`, `firewall` | what the machine has |
//! | `bridge/` | the driver of managed bridges |
//! | `filter` | what a port may send |
//! | `forward` | what goes on to an instance |
//! | `limit` | how much goes over a port |
//! | `desired`, `diff` | plan and comparison |
//! | `plane/` | netlink, sysctls, nft, and the lease services |
//! | `view` | interfaces of another network namespace |
//! | `laws` | what every driver must keep, tested on a real kernel |

pub mod bridge;

mod desired;
mod diff;
mod driver;
mod error;
mod facts;
mod filter;
mod firewall;
mod forward;
mod hash;
mod interface;
mod limit;
mod netlink;
mod pick;
mod plane;
mod spec;
mod view;
mod warning;

#[cfg(test)]
mod laws;

pub use desired::{Desired, Link, Observed, ObservedLink, Sysctl, Table};
pub use diff::{Change, diff};
pub use driver::{DRIVERS, Driver, Identity, driver};
pub use error::{Error, Result};
pub use facts::{Facts, LinkFact};
pub use filter::PortFilter;
pub use firewall::{Denial, Family, Firewall, ForeignRule};
pub use forward::Forward;
pub use interface::{Address, Counters, Interface, Medium};
pub use leases::{DnsMode, Host, Lease, LeaseKind, MacAddr, ParseMacError, Range};
pub use limit::PortLimits;
pub use pick::{pick_ipv4, pick_ipv6};
pub use plane::{Applied, Inside, Plane, PortSpec, PortVlans, Untagged};
pub use spec::{Kind, NetworkSpec};
pub use view::NetnsView;
pub use warning::Warning;
