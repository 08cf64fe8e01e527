//! DHCPv4 (RFC 2131) for guests on the bridge itself; the only server there, so it says no to
//! addresses it does not know.
//!
//! ```text
//! DISCOVER -> OFFER      REQUEST -> ACK | NAK      INFORM -> ACK without an address
//! RELEASE, DECLINE -> nothing
//! ```
//!
//! Relayed messages are not answered: a guest's bridge has no relays, and an answer could be aimed.

mod packet;
mod reply;

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use dhcproto::v4::{DhcpOption, HType, Message, MessageType, Opcode, OptionCode};

use crate::{
    Dhcp4, MacAddr, State,
    config::Ipv4,
    dns::label,
    table::{Binding, Client, number},
};

pub use packet::decode;

/// A message and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What to send.
    pub message: Message,
    /// Broadcast, unless the client has its address already.
    pub to: SocketAddrV4,
}

/// The client as far as a message tells.
struct Request<'a> {
    message: &'a Message,
    mac: MacAddr,
    client: Client,
    v4: Ipv4,
    dhcp: Dhcp4,
    now: u64,
}

/// Answers one message from a client.
pub fn handle(state: &mut State, now: u64, message: &Message) -> Option<Reply> {
    let v4 = state.config.ipv4.clone()?;
    let dhcp = v4.dhcp.clone()?;
    let mac = sender(message)?;
    let request = Request { message, mac, client: Client::Mac(mac), v4, dhcp, now };
    match message.opts().msg_type()? {
        MessageType::Discover => discover(state, &request),
        MessageType::Request => select(state, &request),
        MessageType::Inform => inform(state, &request),
        MessageType::Decline => request.wanted().and_then(|address| {
            state.table.decline(IpAddr::V4(address), &request.client, now);
            None
        }),
        MessageType::Release => {
            state.table.release(IpAddr::V4(message.ciaddr()), &request.client, now);
            None
        }
        _ => None,
    }
}

fn sender(message: &Message) -> Option<MacAddr> {
    let direct = message.opcode() == Opcode::BootRequest && message.giaddr().is_unspecified();
    // The length first: the codec trusts it.
    if !direct || message.htype() != HType::Eth || message.hlen() != 6 {
        return None;
    }
    MacAddr::from_slice(message.chaddr()).filter(|mac| mac.0[0] & 1 == 0 && mac.0 != [0; 6])
}

impl Request<'_> {
    /// The address the client asks for.
    fn wanted(&self) -> Option<Ipv4Addr> {
        match self.message.opts().get(OptionCode::RequestedIpAddress) {
            Some(DhcpOption::RequestedIpAddress(address)) => Some(*address),
            _ => Some(self.message.ciaddr()).filter(|address| !address.is_unspecified()),
        }
    }

    /// Whether the client speaks to another server.
    fn elsewhere(&self) -> bool {
        match self.message.opts().get(OptionCode::ServerIdentifier) {
            Some(DhcpOption::ServerIdentifier(server)) => *server != self.v4.address.addr(),
            _ => false,
        }
    }

    /// What the client calls itself, as far as that can be a name.
    fn hostname(&self) -> Option<String> {
        match self.message.opts().get(OptionCode::Hostname) {
            Some(DhcpOption::Hostname(name)) => label(name.split('.').next()?),
            _ => None,
        }
    }
}

fn discover(state: &mut State, request: &Request<'_>) -> Option<Reply> {
    let address = match state.fixed4(request.mac).map(IpAddr::V4) {
        Some(fixed) if state.table.available(fixed, &request.client, request.now) => fixed,
        _ => choose(state, request)?,
    };
    state.table.offer(address, &request.client, request.now);
    reply::offer(state, request, address)
}

fn choose(state: &State, request: &Request<'_>) -> Option<IpAddr> {
    let wanted = request.wanted().map(|address| number(IpAddr::V4(address)));
    let order = (false, State::seed(&request.client));
    let kept = |address| state.kept(address);
    state.table.choose(&state.pool4, &request.client, wanted, request.now, order, kept)
}

fn select(state: &mut State, request: &Request<'_>) -> Option<Reply> {
    if request.elsewhere() {
        return None;
    }
    let wanted = request.wanted()?;
    if !may_have(state, request, wanted) || !bind(state, request, wanted) {
        return Some(reply::refuse(request));
    }
    reply::acknowledge(state, request, wanted)
}

/// A fixed address is for its owner, who gets no other while it is free; the rest is first come.
fn may_have(state: &State, request: &Request<'_>, wanted: Ipv4Addr) -> bool {
    let free = |address| state.table.available(IpAddr::V4(address), &request.client, request.now);
    match state.fixed4(request.mac) {
        Some(fixed) if free(fixed) => wanted == fixed,
        _ => {
            let address = IpAddr::V4(wanted);
            state.pool4.contains(number(address)) && !state.kept(address) && free(wanted)
        }
    }
}

fn bind(state: &mut State, request: &Request<'_>, address: Ipv4Addr) -> bool {
    let binding = Binding {
        address: IpAddr::V4(address),
        client: request.client.clone(),
        expires: request.now.saturating_add(request.dhcp.expiry.as_secs()),
        hostname: request.hostname(),
    };
    state.table.bind(binding, request.now)
}

fn inform(state: &State, request: &Request<'_>) -> Option<Reply> {
    request.v4.address.contains(&request.message.ciaddr()).then(|| reply::inform(state, request))
}

#[cfg(test)]
pub(crate) mod tests;
