//! Identity associations (IA_NA): the addresses of one client.

use std::net::{IpAddr, Ipv6Addr};

use dhcproto::v6::{
    DhcpOption, DhcpOptions, IAAddr, IANA, Message, MessageType, OptionCode, Status,
};

use super::{Request, reply};
use crate::{
    State,
    table::{Binding, Client, number},
};

/// Associations looked at in one message.
const MAX: usize = 4;

/// Puts an address into every association asked for, and binds it if the exchange is final.
pub(super) fn grant(state: &mut State, request: &Request<'_>, out: &mut Message, bind: bool) {
    for asked in asked(request) {
        let client = request.client(asked.id);
        let address = pick(state, request, &client, asked);
        let address = address.filter(|address| !bind || hold(state, request, &client, *address));
        let Some(address) = address else {
            let mut opts = DhcpOptions::new();
            opts.insert(reply::status(Status::NoAddrsAvail, "no address is free"));
            out.opts_mut().insert(DhcpOption::IANA(IANA { id: asked.id, t1: 0, t2: 0, opts }));
            continue;
        };
        if !bind {
            state.table.offer(IpAddr::V6(address), &client, request.now);
        }
        out.opts_mut().insert(granted(request, asked, address));
    }
}

/// Whether all addresses the client holds belong to this link; silence when it holds none.
pub(super) fn confirm(state: &State, request: &Request<'_>) -> Option<Message> {
    let held: Vec<Ipv6Addr> = asked(request).flat_map(addresses).collect();
    if held.is_empty() {
        return None;
    }
    let here = held.iter().all(|address| request.v6.address.contains(address));
    let status = if here { Status::Success } else { Status::NotOnLink };
    let mut out = reply::frame(state, request, MessageType::Reply);
    out.opts_mut().insert(reply::status(status, ""));
    Some(out)
}

/// RELEASE and DECLINE.
pub(super) fn give_back(state: &mut State, request: &Request<'_>, declined: bool) -> Message {
    let mut out = reply::frame(state, request, MessageType::Reply);
    for asked in asked(request) {
        let client = request.client(asked.id);
        let mut known = false;
        for address in addresses(asked).map(IpAddr::V6) {
            known |= if declined {
                state.table.decline(address, &client, request.now)
            } else {
                state.table.release(address, &client, request.now)
            };
        }
        if !known {
            let mut opts = DhcpOptions::new();
            opts.insert(reply::status(Status::NoBinding, "not your address"));
            out.opts_mut().insert(DhcpOption::IANA(IANA { id: asked.id, t1: 0, t2: 0, opts }));
        }
    }
    out.opts_mut().insert(reply::status(Status::Success, ""));
    out
}

fn asked<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a IANA> + use<'a> {
    let all = request.message.opts().get_all(OptionCode::IANA).unwrap_or_default();
    let all = all.iter().filter_map(|option| match option {
        DhcpOption::IANA(association) => Some(association),
        _ => None,
    });
    all.take(MAX)
}

fn addresses(association: &IANA) -> impl Iterator<Item = Ipv6Addr> {
    let all = association.opts.get_all(OptionCode::IAAddr).unwrap_or_default();
    let all = all.iter().filter_map(|option| match option {
        DhcpOption::IAAddr(address) => Some(address.addr),
        _ => None,
    });
    all.take(MAX)
}

fn pick(state: &State, request: &Request<'_>, client: &Client, asked: &IANA) -> Option<Ipv6Addr> {
    let fixed = request.mac.and_then(|mac| state.fixed6(mac));
    if let Some(fixed) = fixed
        && state.table.available(IpAddr::V6(fixed), client, request.now)
    {
        return Some(fixed);
    }
    let wanted = addresses(asked).next().map(|address| number(IpAddr::V6(address)));
    let order = (true, State::seed(client));
    let kept = |address| state.kept(address);
    match state.table.choose(&state.pool6, client, wanted, request.now, order, kept)? {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}

fn hold(state: &mut State, request: &Request<'_>, client: &Client, address: Ipv6Addr) -> bool {
    let binding = Binding {
        address: IpAddr::V6(address),
        client: client.clone(),
        expires: request.now.saturating_add(request.dhcp.expiry.as_secs()),
        hostname: None,
    };
    state.table.bind(binding, request.now)
}

/// The granted address; others that the client named are ended with lifetime zero
/// (RFC 8415, 18.3.4).
fn granted(request: &Request<'_>, asked: &IANA, address: Ipv6Addr) -> DhcpOption {
    let life = u32::try_from(request.dhcp.expiry.as_secs()).unwrap_or(u32::MAX);
    let mut opts = DhcpOptions::new();
    opts.insert(lifetime(address, life));
    for old in addresses(asked).filter(|old| *old != address) {
        opts.insert(lifetime(old, 0));
    }
    DhcpOption::IANA(IANA { id: asked.id, t1: life / 2, t2: life / 5 * 4, opts })
}

fn lifetime(addr: Ipv6Addr, life: u32) -> DhcpOption {
    let opts = DhcpOptions::new();
    DhcpOption::IAAddr(IAAddr { addr, preferred_life: life, valid_life: life, opts })
}
