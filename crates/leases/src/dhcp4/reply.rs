//! The replies: what stands in them, and where they go.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use dhcproto::{
    Name,
    v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode},
};

use super::{Reply, Request};
use crate::State;

/// The client's port.
const CLIENT: u16 = 68;

pub(super) fn offer(state: &State, request: &Request<'_>, address: IpAddr) -> Option<Reply> {
    let IpAddr::V4(address) = address else { return None };
    Some(granting(state, request, MessageType::Offer, address))
}

pub(super) fn acknowledge(
    state: &State,
    request: &Request<'_>,
    address: Ipv4Addr,
) -> Option<Reply> {
    Some(granting(state, request, MessageType::Ack, address))
}

/// RFC 2131, 4.3.5: the settings, without address and times.
pub(super) fn inform(state: &State, request: &Request<'_>) -> Reply {
    let mut message = blank(request, MessageType::Ack);
    message.set_ciaddr(request.message.ciaddr());
    settings(&mut message, state, request);
    Reply { to: SocketAddrV4::new(request.message.ciaddr(), CLIENT), message }
}

/// A refusal is broadcast: the client's address is what is wrong.
pub(super) fn refuse(request: &Request<'_>) -> Reply {
    let message = blank(request, MessageType::Nak);
    Reply { message, to: SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT) }
}

fn granting(state: &State, request: &Request<'_>, kind: MessageType, address: Ipv4Addr) -> Reply {
    let mut message = blank(request, kind);
    message.set_yiaddr(address).set_ciaddr(request.message.ciaddr());
    let seconds = u32::try_from(request.dhcp.expiry.as_secs()).unwrap_or(u32::MAX);
    let opts = message.opts_mut();
    opts.insert(DhcpOption::AddressLeaseTime(seconds));
    opts.insert(DhcpOption::Renewal(seconds / 2));
    opts.insert(DhcpOption::Rebinding(seconds / 8 * 7));
    settings(&mut message, state, request);
    // A client that renews has its address; one that does not cannot be reached at it yet, and is
    // found by broadcast (4.1), which needs no entry in the neighbour table.
    let ciaddr = request.message.ciaddr();
    let renews = ciaddr == address && !request.message.flags().broadcast();
    let to = if renews { ciaddr } else { Ipv4Addr::BROADCAST };
    Reply { message, to: SocketAddrV4::new(to, CLIENT) }
}

fn blank(request: &Request<'_>, kind: MessageType) -> Message {
    let mut message = Message::default();
    let asked = request.message;
    message.set_opcode(Opcode::BootReply).set_xid(asked.xid()).set_chaddr(asked.chaddr());
    let flags =
        if asked.flags().broadcast() { Flags::default().set_broadcast() } else { Flags::default() };
    message.set_flags(flags);
    let opts = message.opts_mut();
    opts.insert(DhcpOption::MessageType(kind));
    opts.insert(DhcpOption::ServerIdentifier(request.v4.address.addr()));
    // RFC 6842: the identifier goes back as it came.
    if let Some(id) = asked.opts().get(OptionCode::ClientIdentifier) {
        opts.insert(id.clone());
    }
    message
}

fn settings(message: &mut Message, state: &State, request: &Request<'_>) {
    let net = request.v4.address;
    let opts = message.opts_mut();
    opts.insert(DhcpOption::SubnetMask(net.netmask()));
    opts.insert(DhcpOption::BroadcastAddr(net.broadcast()));
    if let Some(gateway) = request.dhcp.gateway {
        opts.insert(DhcpOption::Router(vec![gateway]));
    }
    opts.insert(DhcpOption::DomainNameServer(vec![net.addr()]));
    if !state.config.dns.domain.is_empty() {
        opts.insert(DhcpOption::DomainName(state.config.dns.domain.clone()));
    }
    if let Some(host) = state.hosts.by_mac(request.mac) {
        opts.insert(DhcpOption::Hostname(host.name.clone()));
    }
    let mtu = u16::try_from(state.config.mtu).unwrap_or(u16::MAX);
    if mtu != 1500 || asked_for(request, OptionCode::InterfaceMtu) {
        opts.insert(DhcpOption::InterfaceMtu(mtu));
    }
    let search = search(state);
    if !search.is_empty() && asked_for(request, OptionCode::DomainSearch) {
        opts.insert(DhcpOption::DomainSearch(search));
    }
}

fn search(state: &State) -> Vec<Name> {
    state.config.search().iter().filter_map(|name| Name::from_ascii(name).ok()).collect()
}

fn asked_for(request: &Request<'_>, code: OptionCode) -> bool {
    match request.message.opts().get(OptionCode::ParameterRequestList) {
        Some(DhcpOption::ParameterRequestList(codes)) => codes.contains(&code),
        _ => false,
    }
}
