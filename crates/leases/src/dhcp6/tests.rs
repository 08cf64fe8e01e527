use std::time::Duration;

use dhcproto::{
    Encodable,
    v6::{DhcpOptions, IANA, Status},
};
use proptest::prelude::*;

use super::*;
use crate::{Host, Hosts, Range, Table, dhcp4::tests::config};

const MAC: MacAddr = MacAddr([0, 0x16, 0x3e, 0, 0, 1]);
const SERVER: [u8; 10] = [0, 3, 0, 1, 0, 0x16, 0x3e, 0xff, 0, 1];

fn state(stateful: bool) -> State {
    let range = Range { first: "fd42::100".parse().unwrap(), last: "fd42::1ff".parse().unwrap() };
    let dhcp = Dhcp6 { stateful, ranges: vec![range], expiry: Duration::from_secs(3600) };
    let mut config = config();
    let address = "fd42::1/64".parse().unwrap();
    config.ipv6 = Some(Ipv6 { address, routing: true, dhcp: Some(dhcp) });
    let fixed = Some("fd42::beef".parse().unwrap());
    let host = Host { name: "web".into(), hwaddr: MAC, ipv4: None, ipv6: fixed };
    State::new(config, Hosts::new(vec![host]), Table::default())
}

fn message(kind: MessageType, server: bool) -> Message {
    let mut message = Message::new(kind);
    let opts = message.opts_mut();
    opts.insert(DhcpOption::ClientId(vec![0, 2, 9, 9]));
    if server {
        opts.insert(DhcpOption::ServerId(SERVER.to_vec()));
    }
    opts.insert(DhcpOption::IANA(IANA { id: 5, t1: 0, t2: 0, opts: DhcpOptions::new() }));
    message
}

fn with_address(kind: MessageType, address: Ipv6Addr) -> Message {
    let mut message = message(kind, kind != MessageType::Confirm);
    let mut opts = DhcpOptions::new();
    opts.insert(DhcpOption::IAAddr(dhcproto::v6::IAAddr {
        addr: address,
        preferred_life: 0,
        valid_life: 0,
        opts: DhcpOptions::new(),
    }));
    message.opts_mut().remove(OptionCode::IANA);
    message.opts_mut().insert(DhcpOption::IANA(IANA { id: 5, t1: 0, t2: 0, opts }));
    message
}

fn stranger() -> Ipv6Addr {
    "fe80::1234:5678:9abc:def0".parse().unwrap()
}

fn granted(reply: &Message) -> Option<(Ipv6Addr, u32)> {
    match reply.opts().get(OptionCode::IANA)? {
        DhcpOption::IANA(association) => match association.opts.get(OptionCode::IAAddr)? {
            DhcpOption::IAAddr(address) => Some((address.addr, address.valid_life)),
            _ => None,
        },
        _ => None,
    }
}

fn status(reply: &Message) -> Option<Status> {
    match reply.opts().get(OptionCode::StatusCode)? {
        DhcpOption::StatusCode(code) => Some(code.status),
        _ => None,
    }
}

#[test]
fn settings_are_given_without_state() {
    let mut state = state(false);
    let asked = message(MessageType::InformationRequest, false);
    let reply = handle(&mut state, 0, stranger(), &asked).unwrap();
    let server = DhcpOption::DomainNameServers(vec!["fd42::1".parse().unwrap()]);
    assert_eq!(reply.opts().get(OptionCode::DomainNameServers), Some(&server));
    assert_eq!(reply.xid(), asked.xid());
    assert_eq!(handle(&mut state, 0, stranger(), &message(MessageType::Solicit, false)), None);
}

#[test]
fn solicit_and_request_give_the_same_address_and_it_is_leased() {
    let mut state = state(true);
    let offer = handle(&mut state, 0, stranger(), &message(MessageType::Solicit, false)).unwrap();
    assert_eq!(offer.msg_type(), MessageType::Advertise);
    let (address, _) = granted(&offer).unwrap();
    let reply = handle(&mut state, 0, stranger(), &message(MessageType::Request, true)).unwrap();
    assert_eq!(granted(&reply), Some((address, 3600)));
    assert!(state.leases(10).iter().any(|lease| lease.address == address));
}

#[test]
fn the_fixed_address_belongs_to_the_port_that_speaks_not_to_what_it_claims() {
    let mut state = state(true);
    let own =
        handle(&mut state, 0, MAC.link_local(), &message(MessageType::Request, true)).unwrap();
    assert_eq!(granted(&own).unwrap().0.to_string(), "fd42::beef");

    let mut claim = message(MessageType::Request, true);
    claim.opts_mut().remove(OptionCode::ClientId);
    let mut duid = vec![0, 3, 0, 1];
    duid.extend(MAC.0);
    claim.opts_mut().insert(DhcpOption::ClientId(duid));
    let thief = handle(&mut state, 0, stranger(), &claim).unwrap();
    assert_ne!(granted(&thief).unwrap().0.to_string(), "fd42::beef");
}

#[test]
fn rapid_commit_binds_at_once() {
    let mut state = state(true);
    let mut solicit = message(MessageType::Solicit, false);
    solicit.opts_mut().insert(DhcpOption::RapidCommit);
    let reply = handle(&mut state, 0, stranger(), &solicit).unwrap();
    assert_eq!(reply.msg_type(), MessageType::Reply);
    assert!(reply.opts().get(OptionCode::RapidCommit).is_some());
    assert_eq!(state.table.active(1).count(), 1);
}

#[test]
fn confirm_tells_whether_the_link_is_right() {
    let mut state = state(true);
    let here = with_address(MessageType::Confirm, "fd42::123".parse().unwrap());
    let reply = handle(&mut state, 0, stranger(), &here).unwrap();
    assert_eq!(status(&reply), Some(Status::Success));
    let away = with_address(MessageType::Confirm, "fd99::123".parse().unwrap());
    let reply = handle(&mut state, 0, stranger(), &away).unwrap();
    assert_eq!(status(&reply), Some(Status::NotOnLink));
}

#[test]
fn renewing_an_address_of_another_subnet_moves_the_client() {
    let mut state = state(true);
    let old: Ipv6Addr = "fd99::123".parse().unwrap();
    let reply = handle(&mut state, 0, stranger(), &with_address(MessageType::Renew, old)).unwrap();
    let Some(DhcpOption::IANA(association)) = reply.opts().get(OptionCode::IANA) else { panic!() };
    let lives = association.opts.iter().filter_map(|option| match option {
        DhcpOption::IAAddr(a) => Some((a.addr == old, a.valid_life)),
        _ => None,
    });
    let mut lives = lives.collect::<Vec<_>>();
    lives.sort_unstable();
    assert_eq!(lives, [(false, 3600), (true, 0)]);
}

#[test]
fn released_and_declined_addresses() {
    let mut state = state(true);
    let reply = handle(&mut state, 0, stranger(), &message(MessageType::Request, true)).unwrap();
    let (address, _) = granted(&reply).unwrap();
    handle(&mut state, 1, stranger(), &with_address(MessageType::Release, address)).unwrap();
    assert_eq!(state.table.active(2).count(), 0);
    handle(&mut state, 3, stranger(), &message(MessageType::Request, true)).unwrap();
    handle(&mut state, 4, stranger(), &with_address(MessageType::Decline, address)).unwrap();
    let again = handle(&mut state, 5, stranger(), &message(MessageType::Request, true)).unwrap();
    assert_ne!(granted(&again).unwrap().0, address);
}

#[test]
fn messages_for_other_servers_or_from_afar_are_ignored() {
    let mut state = state(true);
    assert_eq!(handle(&mut state, 0, stranger(), &message(MessageType::Request, false)), None);
    let afar = "fd42::9".parse().unwrap();
    assert_eq!(handle(&mut state, 0, afar, &message(MessageType::Solicit, false)), None);
}

proptest! {
    #[test]
    fn hostile_packets_do_not_panic(kind in 0..14_u8, bytes in proptest::collection::vec(prop_oneof![0..16_u8, any::<u8>()], 0..200)) {
        let mut state = state(true);
        let mut plain = vec![kind, 1, 2, 3];
        let with_client = [&[kind, 1, 2, 3, 0, 1, 0, 2, 7, 7][..], &bytes].concat();
        plain.extend(bytes);
        for packet in [plain, with_client] {
            let message = decode(&packet);
            let reply = message.and_then(|m| handle(&mut state, 1, stranger(), &m));
            if let Some(reply) = reply {
                prop_assert!(reply.to_vec().is_ok());
            }
        }
    }
}
