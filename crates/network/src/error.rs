//! What can go wrong when a network is made to be.

use std::{io, net::IpAddr};

use ipnet::IpNet;

/// An error of this crate; it names the operation and the object.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a netlink request.
    #[error("{action} {object}")]
    Netlink {
        /// The request, such as "create link".
        action: &'static str,
        /// The link, address or route.
        object: String,
        /// The kernel's reason.
        #[source]
        source: io::Error,
    },
    /// A kernel setting could not be read or written.
    #[error("set {path} to {value}")]
    Sysctl {
        /// Under /proc/sys.
        path: String,
        /// What was to be written.
        value: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The link's name is used by something that is not this network's bridge.
    #[error("link {link} exists and does not belong to this network ({what})")]
    Taken {
        /// The link.
        link: String,
        /// What it is.
        what: String,
    },
    /// nft could not do its part.
    #[error("set the firewall rules of network {network}")]
    Firewall {
        /// The network.
        network: String,
        /// Why not.
        #[source]
        source: exec::Error,
    },
    /// The kernel has no address translation for nft.
    #[error(
        "network {network} wants NAT, but this kernel has none for nft (modules nft_chain_nat and \
         nft_masq); set ipv4.nat and ipv6.nat to false, or boot a kernel that has them"
    )]
    NoNat {
        /// The network.
        network: String,
        /// What nft said.
        #[source]
        source: exec::Error,
    },
    /// Every subnet that could be picked overlaps an address or a route.
    #[error("no free {family} subnet is left on this machine")]
    NoFreeSubnet {
        /// IPv4 or IPv6.
        family: &'static str,
    },
    /// A fixed subnet cannot be used.
    #[error("{net} is not a usable bridge address: {why}")]
    BadAddress {
        /// The address with its subnet.
        net: IpNet,
        /// What is wrong.
        why: &'static str,
    },
    /// A range of addresses to hand out cannot be used.
    #[error("range {first}-{last} does not lie in {net}")]
    BadRange {
        /// Its first address.
        first: IpAddr,
        /// Its last address.
        last: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// A name that the kernel does not take.
    #[error("'{0}' is not an interface name (1 to 15 characters, no slash, space or colon)")]
    BadName(String),
    /// The bridge of a port is not there.
    #[error("link {0} does not exist")]
    NoLink(String),
    /// A bridge that is not ours and does not tell VLANs apart.
    #[error(
        "bridge {0} does not tell VLANs apart: turn it on there (ip link set {0} type bridge vlan_filtering 1)"
    )]
    NoVlans(String),
    /// A kernel without them.
    #[error(
        "bridge {0}: this server's kernel does not tell VLANs apart (CONFIG_BRIDGE_VLAN_FILTERING)"
    )]
    NoVlanKernel(String),
    /// The servers of the bridge.
    #[error("start the servers of network {network}")]
    Service {
        /// The network.
        network: String,
        /// Why not.
        #[source]
        source: leases::Error,
    },
    /// Another network namespace could not be looked into.
    #[error("{action} of a network namespace")]
    Namespace {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Parts of a network could not be removed; the rest is gone.
    #[error("remove network {network}: {}", list(errors))]
    Teardown {
        /// The network.
        network: String,
        /// Every failure.
        errors: Vec<Error>,
    },
}

fn list(errors: &[Error]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Shorthand for this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
