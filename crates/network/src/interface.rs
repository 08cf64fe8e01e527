//! A link as it is shown to the outside: what it is called, what went over it, and its addresses.

use std::net::IpAddr;

use leases::MacAddr;
use rtnetlink::packet_route::{
    AddressFamily,
    address::{AddressAttribute, AddressMessage, AddressScope},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State},
};

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Kernel index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Driver, such as "bridge" or "veth"; empty for hardware and loopback.
    pub kind: String,
    /// What kind of link it is.
    pub medium: Medium,
    /// Hardware address, if it has one of six bytes.
    pub hwaddr: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Set up by its owner.
    pub enabled: bool,
    /// Works: has a carrier (or knows of none).
    pub up: bool,
    /// Index of the bridge or bond it is a port of.
    pub master: Option<u32>,
    /// Index of the other end of a veth pair, in its namespace.
    pub peer: Option<u32>,
    /// Alias.
    pub alias: String,
    /// What went over it.
    pub counters: Counters,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// The nature of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Medium {
    /// The machine itself.
    Loopback,
    /// A wire with many ends.
    Broadcast,
    /// A tunnel.
    PointToPoint,
    /// None of these.
    #[default]
    Unknown,
}

/// Totals since the link was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as the kernel's documentation names it")]
pub struct Counters {
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub packets_received: u64,
    pub packets_sent: u64,
    pub errors_received: u64,
    pub errors_sent: u64,
    pub packets_dropped_inbound: u64,
    pub packets_dropped_outbound: u64,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Length of its subnet's prefix in bits.
    pub prefix_len: u8,
    /// `global`, `link` or `local`.
    pub scope: &'static str,
}

impl Counters {
    /// As the other end of a pair sees them.
    pub fn reversed(self) -> Counters {
        Counters {
            bytes_received: self.bytes_sent,
            bytes_sent: self.bytes_received,
            packets_received: self.packets_sent,
            packets_sent: self.packets_received,
            errors_received: self.errors_sent,
            errors_sent: self.errors_received,
            packets_dropped_inbound: self.packets_dropped_outbound,
            packets_dropped_outbound: self.packets_dropped_inbound,
        }
    }
}

/// All interfaces with their addresses.
pub(crate) fn assemble(links: &[LinkMessage], addresses: &[AddressMessage]) -> Vec<Interface> {
    let mut out: Vec<Interface> = links.iter().map(interface).collect();
    for message in addresses {
        let found = out.iter_mut().find(|interface| interface.index == message.header.index);
        if let (Some(interface), Some(address)) = (found, address(message)) {
            interface.addresses.push(address);
        }
    }
    out
}

pub(crate) fn interface(message: &LinkMessage) -> Interface {
    let flags = message.header.flags;
    let mut out = Interface {
        index: message.header.index,
        enabled: flags.contains(LinkFlags::Up),
        medium: medium(flags),
        ..Interface::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => out.name.clone_from(name),
            LinkAttribute::Address(bytes) => out.hwaddr = MacAddr::from_slice(bytes),
            LinkAttribute::Mtu(mtu) => out.mtu = *mtu,
            LinkAttribute::Controller(index) => out.master = Some(*index),
            LinkAttribute::Link(index) => out.peer = Some(*index),
            LinkAttribute::IfAlias(alias) => out.alias.clone_from(alias),
            LinkAttribute::OperState(state) => {
                out.up = matches!(state, State::Up | State::Unknown) && out.enabled;
            }
            LinkAttribute::LinkInfo(info) => out.kind = kind(info),
            LinkAttribute::Stats64(stats) => {
                out.counters = Counters {
                    bytes_received: stats.rx_bytes,
                    bytes_sent: stats.tx_bytes,
                    packets_received: stats.rx_packets,
                    packets_sent: stats.tx_packets,
                    errors_received: stats.rx_errors,
                    errors_sent: stats.tx_errors,
                    packets_dropped_inbound: stats.rx_dropped,
                    packets_dropped_outbound: stats.tx_dropped,
                };
            }
            _ => {}
        }
    }
    out
}

fn medium(flags: LinkFlags) -> Medium {
    match () {
        () if flags.contains(LinkFlags::Loopback) => Medium::Loopback,
        () if flags.contains(LinkFlags::Broadcast) => Medium::Broadcast,
        () if flags.contains(LinkFlags::Pointopoint) => Medium::PointToPoint,
        () => Medium::Unknown,
    }
}

fn kind(info: &[LinkInfo]) -> String {
    let mut kinds = info.iter().filter_map(|info| match info {
        LinkInfo::Kind(InfoKind::Other(name)) => Some(name.clone()),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    });
    kinds.next().unwrap_or_default()
}

/// The local address; on a tunnel `Address` is the other end's.
fn address(message: &AddressMessage) -> Option<Address> {
    let of = |local: bool| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) if local => Some(*address),
            AddressAttribute::Address(address) if !local => Some(*address),
            _ => None,
        })
    };
    let known = [AddressFamily::Inet, AddressFamily::Inet6].contains(&message.header.family);
    let address = of(true).or_else(|| of(false)).filter(|_| known)?;
    let scope = match message.header.scope {
        AddressScope::Universe | AddressScope::Site => "global",
        AddressScope::Link => "link",
        _ => "local",
    };
    Some(Address { address, prefix_len: message.header.prefix_len, scope })
}
