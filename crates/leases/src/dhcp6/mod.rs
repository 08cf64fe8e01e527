//! DHCPv6 (RFC 8415) for guests on the bridge itself.
//!
//! ```text
//! INFORMATION-REQUEST -> settings                       always
//! SOLICIT -> ADVERTISE, or REPLY with rapid commit      stateful only, as all below
//! REQUEST, RENEW, REBIND -> REPLY with addresses
//! CONFIRM -> REPLY: on this link or not      RELEASE, DECLINE -> REPLY
//! ```
//!
//! A client is known by its hardware address when it speaks from the link-local address formed of
//! it, else by its identifier; what an identifier claims to contain is not believed. Relays, prefix
//! delegation and temporary addresses are left out.

mod associations;
mod packet;
mod reply;

use std::net::Ipv6Addr;

use dhcproto::v6::{DhcpOption, Message, MessageType, OptionCode};

use crate::{Dhcp6, MacAddr, State, config::Ipv6, table::Client};

pub use packet::decode;

/// Longest identifier there is (RFC 8415, 11.1: two octets of type and 128 of content).
const MAX_DUID: usize = 130;

/// A client's message and where it came from.
struct Request<'a> {
    message: &'a Message,
    duid: &'a [u8],
    mac: Option<MacAddr>,
    v6: Ipv6,
    dhcp: Dhcp6,
    now: u64,
}

impl Request<'_> {
    fn client(&self, association: u32) -> Client {
        // One address for a port, whichever association asks for it.
        self.mac.map_or_else(|| Client::Duid(self.duid.to_vec(), association), Client::Mac)
    }
}

/// Answers one message; the reply goes back to the address and port it came from.
pub fn handle(state: &mut State, now: u64, from: Ipv6Addr, message: &Message) -> Option<Message> {
    let v6 = state.config.ipv6.clone()?;
    let dhcp = v6.dhcp.clone()?;
    let kind = message.msg_type();
    let duid = match message.opts().get(OptionCode::ClientId) {
        Some(DhcpOption::ClientId(duid)) if (1..=MAX_DUID).contains(&duid.len()) => duid.as_slice(),
        Some(_) => return None,
        None if kind == MessageType::InformationRequest => &[],
        None => return None,
    };
    if !from.is_unicast_link_local() || !addressed(state, kind, message) {
        return None;
    }
    let mac = MacAddr::from_eui64(from).filter(|mac| state.hosts.by_mac(*mac).is_some());
    let request = Request { message, duid, mac, v6, dhcp, now };
    if kind == MessageType::InformationRequest {
        return Some(reply::settings(state, &request, MessageType::Reply));
    }
    if !request.dhcp.stateful { None } else { stateful(state, &request, kind) }
}

/// Whether the message names this server, where it must name one, or none, where it must not
/// (RFC 8415, 16).
fn addressed(state: &State, kind: MessageType, message: &Message) -> bool {
    let named = match message.opts().get(OptionCode::ServerId) {
        Some(DhcpOption::ServerId(id)) => Some(*id == reply::server_id(state)),
        _ => None,
    };
    match kind {
        MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
            named == Some(true)
        }
        MessageType::InformationRequest => named != Some(false),
        _ => named.is_none(),
    }
}

fn stateful(state: &mut State, request: &Request<'_>, kind: MessageType) -> Option<Message> {
    match kind {
        MessageType::Solicit => {
            let rapid = request.message.opts().get(OptionCode::RapidCommit).is_some();
            let kind = if rapid { MessageType::Reply } else { MessageType::Advertise };
            let mut out = reply::settings(state, request, kind);
            if rapid {
                out.opts_mut().insert(DhcpOption::RapidCommit);
            }
            associations::grant(state, request, &mut out, rapid);
            Some(out)
        }
        MessageType::Request | MessageType::Renew | MessageType::Rebind => {
            let mut out = reply::settings(state, request, MessageType::Reply);
            associations::grant(state, request, &mut out, true);
            Some(out)
        }
        MessageType::Confirm => associations::confirm(state, request),
        MessageType::Release => Some(associations::give_back(state, request, false)),
        MessageType::Decline => Some(associations::give_back(state, request, true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
