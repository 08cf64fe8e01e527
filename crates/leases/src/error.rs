//! What can go wrong around the pure state machines.

use std::{io, net::SocketAddr, path::PathBuf};

/// An error of the service: a socket or the lease journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server could not take its port on the bridge; often another program holds it.
    #[error("open the {what} server at {address} on {interface}")]
    Socket {
        /// DHCPv4, DHCPv6, DNS or router advertisement.
        what: &'static str,
        /// Where it was to listen.
        address: SocketAddr,
        /// The bridge.
        interface: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The journal of leases could not be read or written.
    #[error("{action} the lease journal {}", path.display())]
    Journal {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Shorthand for this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
