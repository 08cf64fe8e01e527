//! The frame of every reply: identifiers and DNS settings.

use dhcproto::{
    Name,
    v6::{DhcpOption, Message, MessageType, OptionCode, Status, StatusCode},
};

use super::Request;
use crate::State;

/// How long settings without an address hold (RFC 8415, 7.6).
const REFRESH: u32 = 86_400;

/// Identifier by hardware address (DUID-LL): the same after every restart.
pub(super) fn server_id(state: &State) -> Vec<u8> {
    let mut id = vec![0, 3, 0, 1];
    id.extend(state.config.hwaddr.0);
    id
}

pub(super) fn frame(state: &State, request: &Request<'_>, kind: MessageType) -> Message {
    let mut out = Message::new_with_id(kind, request.message.xid());
    out.opts_mut().insert(DhcpOption::ServerId(server_id(state)));
    if !request.duid.is_empty() {
        out.opts_mut().insert(DhcpOption::ClientId(request.duid.to_vec()));
    }
    out
}

pub(super) fn settings(state: &State, request: &Request<'_>, kind: MessageType) -> Message {
    let mut out = frame(state, request, kind);
    let opts = out.opts_mut();
    opts.insert(DhcpOption::DomainNameServers(vec![request.v6.address.addr()]));
    let names = state.config.search();
    let names: Vec<Name> = names.iter().filter_map(|name| Name::from_ascii(name).ok()).collect();
    if !names.is_empty() {
        opts.insert(DhcpOption::DomainSearchList(names));
    }
    if request.message.msg_type() == MessageType::InformationRequest {
        opts.insert(DhcpOption::InformationRefreshTime(REFRESH));
    }
    debug_assert!(opts.get(OptionCode::ServerId).is_some());
    out
}

pub(super) fn status(status: Status, msg: &str) -> DhcpOption {
    DhcpOption::StatusCode(StatusCode { status, msg: msg.to_owned() })
}
