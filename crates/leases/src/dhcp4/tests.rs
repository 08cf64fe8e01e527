use std::time::Duration;

use dhcproto::Encodable;
use proptest::prelude::*;

use super::*;
use crate::{Dns, DnsMode, Host, Hosts, Range, ServiceConfig, Table};

pub(crate) fn config() -> ServiceConfig {
    ServiceConfig {
        interface: "br0".into(),
        index: 7,
        hwaddr: MacAddr([0, 0x16, 0x3e, 0xff, 0, 1]),
        mtu: 1500,
        state_dir: "/nonexistent".into(),
        ipv4: Some(Ipv4 {
            address: "10.1.2.1/24".parse().unwrap(),
            dhcp: Some(Dhcp4 {
                ranges: Vec::new(),
                expiry: Duration::from_secs(3600),
                gateway: Some(Ipv4Addr::new(10, 1, 2, 1)),
            }),
        }),
        ipv6: None,
        dns: Dns {
            mode: DnsMode::Managed,
            domain: "lxd".into(),
            search: Vec::new(),
            resolv_conf: "/etc/resolv.conf".into(),
        },
    }
}

fn state() -> State {
    let fixed = Host {
        name: "web".into(),
        hwaddr: MacAddr([0, 0x16, 0x3e, 0, 0, 1]),
        ipv4: Some(Ipv4Addr::new(10, 1, 2, 200)),
        ipv6: None,
    };
    State::new(config(), Hosts::new(vec![fixed]), Table::default())
}

fn message(kind: MessageType, last: u8) -> Message {
    let mut message = Message::default();
    message.set_chaddr(&[0, 0x16, 0x3e, 0, 0, last]);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message
}

fn asking(kind: MessageType, last: u8, address: Ipv4Addr) -> Message {
    let mut message = message(kind, last);
    message.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
    message
}

fn kind(reply: &Reply) -> MessageType {
    reply.message.opts().msg_type().unwrap()
}

fn lease(state: &mut State, last: u8, now: u64) -> Ipv4Addr {
    let offer = handle(state, now, &message(MessageType::Discover, last)).unwrap();
    let address = offer.message.yiaddr();
    let ack = handle(state, now, &asking(MessageType::Request, last, address)).unwrap();
    assert_eq!((kind(&offer), kind(&ack)), (MessageType::Offer, MessageType::Ack));
    assert_eq!(ack.message.yiaddr(), address);
    address
}

#[test]
fn a_guest_gets_an_address_a_router_and_a_name_server() {
    let mut state = state();
    let offer = handle(&mut state, 0, &message(MessageType::Discover, 9)).unwrap();
    let opts = offer.message.opts();
    assert_eq!(
        opts.get(OptionCode::Router),
        Some(&DhcpOption::Router(vec![Ipv4Addr::new(10, 1, 2, 1)]))
    );
    assert_eq!(
        opts.get(OptionCode::DomainNameServer),
        Some(&DhcpOption::DomainNameServer(vec![Ipv4Addr::new(10, 1, 2, 1)]))
    );
    assert_eq!(opts.get(OptionCode::AddressLeaseTime), Some(&DhcpOption::AddressLeaseTime(3600)));
    assert_eq!(offer.to, "255.255.255.255:68".parse().unwrap());
}

#[test]
fn the_same_guest_gets_the_same_address_even_without_a_table() {
    let first = lease(&mut state(), 9, 0);
    assert_eq!(lease(&mut state(), 9, 0), first);
}

#[test]
fn a_fixed_address_is_given_to_its_owner_only() {
    let mut state = state();
    assert_eq!(lease(&mut state, 1, 0), Ipv4Addr::new(10, 1, 2, 200));
    let thief = asking(MessageType::Request, 9, Ipv4Addr::new(10, 1, 2, 200));
    assert_eq!(kind(&handle(&mut state, 0, &thief).unwrap()), MessageType::Nak);
    let owner = asking(MessageType::Request, 1, Ipv4Addr::new(10, 1, 2, 50));
    assert_eq!(kind(&handle(&mut state, 0, &owner).unwrap()), MessageType::Nak);
}

#[test]
fn a_leased_address_is_refused_to_others_until_it_runs_out() {
    let mut state = state();
    let address = lease(&mut state, 9, 0);
    let other = asking(MessageType::Request, 8, address);
    assert_eq!(kind(&handle(&mut state, 10, &other).unwrap()), MessageType::Nak);
    assert_eq!(kind(&handle(&mut state, 3601, &other).unwrap()), MessageType::Ack);
}

#[test]
fn renewal_is_answered_to_the_address_itself() {
    let mut state = state();
    let address = lease(&mut state, 9, 0);
    let mut renew = message(MessageType::Request, 9);
    renew.set_ciaddr(address);
    let reply = handle(&mut state, 1800, &renew).unwrap();
    assert_eq!((kind(&reply), *reply.to.ip()), (MessageType::Ack, address));
    assert_eq!(state.leases(5000).len(), 3, "bridge, fixed and guest, renewed until 5400");
}

#[test]
fn a_foreign_subnet_is_refused_and_another_server_left_alone() {
    let mut state = state();
    let foreign = asking(MessageType::Request, 9, Ipv4Addr::new(192, 168, 1, 5));
    let reply = handle(&mut state, 0, &foreign).unwrap();
    assert_eq!((kind(&reply), *reply.to.ip()), (MessageType::Nak, Ipv4Addr::BROADCAST));

    let mut other = asking(MessageType::Request, 9, Ipv4Addr::new(10, 1, 2, 7));
    other.opts_mut().insert(DhcpOption::ServerIdentifier(Ipv4Addr::new(10, 1, 2, 99)));
    assert_eq!(handle(&mut state, 0, &other), None);
}

#[test]
fn declined_addresses_are_avoided_and_released_ones_come_back() {
    let mut state = state();
    let first = lease(&mut state, 9, 0);
    assert_eq!(handle(&mut state, 1, &asking(MessageType::Decline, 9, first)), None);
    let second = lease(&mut state, 9, 2);
    assert_ne!(first, second);
    let mut release = message(MessageType::Release, 9);
    release.set_ciaddr(second);
    assert_eq!(handle(&mut state, 3, &release), None);
    assert_eq!(state.leases(4).len(), 2, "only the bridge and the fixed one");
    assert_eq!(lease(&mut state, 9, 5), second);
}

#[test]
fn inform_gives_settings_but_no_address_and_cannot_be_aimed_outside() {
    let mut state = state();
    let mut inform = message(MessageType::Inform, 9);
    inform.set_ciaddr(Ipv4Addr::new(10, 1, 2, 77));
    let reply = handle(&mut state, 0, &inform).unwrap();
    assert!(reply.message.yiaddr().is_unspecified());
    assert!(!reply.message.opts().contains(OptionCode::AddressLeaseTime));
    inform.set_ciaddr(Ipv4Addr::new(8, 8, 8, 8));
    assert_eq!(handle(&mut state, 0, &inform), None);
}

#[test]
fn the_host_name_comes_from_the_instance() {
    let mut state = state();
    let offer = handle(&mut state, 0, &message(MessageType::Discover, 1)).unwrap();
    let name = offer.message.opts().get(OptionCode::Hostname);
    assert_eq!(name, Some(&DhcpOption::Hostname("web".into())));
}

#[test]
fn ranges_bound_what_is_given_and_a_full_pool_stays_silent() {
    let mut config = config();
    let range = Range { first: Ipv4Addr::new(10, 1, 2, 10), last: Ipv4Addr::new(10, 1, 2, 11) };
    config.ipv4.as_mut().unwrap().dhcp.as_mut().unwrap().ranges = vec![range];
    let mut state = State::new(config, Hosts::default(), Table::default());
    let mut got = [lease(&mut state, 1, 0), lease(&mut state, 2, 0)];
    got.sort_unstable();
    assert_eq!(got, [range.first, range.last]);
    assert_eq!(handle(&mut state, 0, &message(MessageType::Discover, 3)), None);
}

#[test]
fn no_dhcp_no_answer() {
    let mut config = config();
    config.ipv4.as_mut().unwrap().dhcp = None;
    let mut state = State::new(config, Hosts::default(), Table::default());
    assert_eq!(handle(&mut state, 0, &message(MessageType::Discover, 3)), None);
}

proptest! {
    #[test]
    fn hostile_packets_do_not_panic(
        head in proptest::collection::vec(any::<u8>(), 236),
        kind in 0..9_u8,
        options in proptest::collection::vec((any::<u8>(), 0..9_u8, any::<[u8; 8]>()), 0..20),
        junk in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut state = state();
        for shape in 0..3 {
            let mut bytes = head.clone();
            if shape > 0 {
                bytes[..3].copy_from_slice(&[1, 1, 6]);
            }
            bytes.extend([99, 130, 83, 99]);
            if shape > 1 {
                bytes.extend([53, 1, kind]);
                for (code, length, value) in &options {
                    bytes.extend([*code, *length]);
                    bytes.extend(&value[..usize::from(*length).min(8)]);
                }
            }
            bytes.extend(&junk);
            if let Some(reply) = decode(&bytes).and_then(|m| handle(&mut state, 1, &m)) {
                prop_assert!(reply.message.to_vec().is_ok());
            }
        }
    }

    #[test]
    fn two_guests_never_share_an_address(turns in proptest::collection::vec((0..12_u8, 0..4_u8, 0..40_u8), 0..200)) {
        let mut state = state();
        for (now, (last, verb, address)) in turns.into_iter().enumerate() {
            let kind = [MessageType::Discover, MessageType::Request, MessageType::Decline, MessageType::Release][verb as usize];
            let mut message = asking(kind, last, Ipv4Addr::new(10, 1, 2, address));
            message.set_ciaddr(Ipv4Addr::new(10, 1, 2, address));
            handle(&mut state, now as u64 * 60, &message);
            let active: Vec<_> = state.table.active(now as u64 * 60).collect();
            let mut clients: Vec<_> = active.iter().map(|b| &b.client).collect();
            clients.sort_unstable();
            clients.dedup();
            prop_assert_eq!(clients.len(), active.len());
        }
    }
}
