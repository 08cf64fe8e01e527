use hickory_proto::{
    op::{Edns, Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use proptest::prelude::*;

use super::*;
use crate::{
    DnsMode, Host, Hosts, MacAddr, State, Table,
    dhcp4::tests::config,
    table::{Binding, Client},
};

fn mac(last: u8) -> MacAddr {
    MacAddr([0, 0x16, 0x3e, 0, 0, last])
}

fn state(mode: DnsMode) -> State {
    let mut config = config();
    config.dns.mode = mode;
    config.ipv6 = Some(crate::Ipv6 {
        address: "fd42:1:2:3::1/64".parse().unwrap(),
        routing: true,
        dhcp: None,
    });
    let host =
        |name: &str, last| Host { name: name.into(), hwaddr: mac(last), ipv4: None, ipv6: None };
    let hosts = Hosts::new(vec![host("Web", 1), host("silent", 2)]);
    let mut state = State::new(config, hosts, Table::default());
    for (last, hostname) in [(1, "liar"), (8, "silent"), (9, "pi")] {
        let address = std::net::IpAddr::from([10, 1, 2, 10 + last]);
        let client = Client::Mac(mac(last));
        let hostname = Some(hostname.to_owned());
        state.table.bind(Binding { address, client, expires: 100, hostname }, 0);
    }
    state
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn ask(state: &State, name: &str, kind: RecordType) -> Option<(ResponseCode, Vec<String>)> {
    match consider(state, 50, &query(name, kind).to_vec().unwrap(), false) {
        Verdict::Answer(bytes) => {
            let reply = Message::from_vec(&bytes).unwrap();
            let data = reply.answers.iter().map(|r| match &r.data {
                RData::PTR(name) => name.to_string(),
                other => other.to_string(),
            });
            Some((reply.metadata.response_code, data.collect()))
        }
        _ => None,
    }
}

fn found(text: &str) -> Option<(ResponseCode, Vec<String>)> {
    Some((ResponseCode::NoError, vec![text.to_owned()]))
}

const EMPTY: Option<(ResponseCode, Vec<String>)> = Some((ResponseCode::NoError, Vec::new()));
const ABSENT: Option<(ResponseCode, Vec<String>)> = Some((ResponseCode::NXDomain, Vec::new()));

#[test]
fn instances_have_names_in_any_case_and_also_bare() {
    let state = state(DnsMode::Managed);
    for name in ["web.lxd.", "WEB.LXD.", "web."] {
        assert_eq!(ask(&state, name, RecordType::A), found("10.1.2.11"), "{name}");
    }
    assert_eq!(ask(&state, "1.2.1.10.in-addr.arpa.", RecordType::PTR), found("_gateway.lxd."));
}

#[test]
fn reverse_names_of_guests() {
    let mut state = state(DnsMode::Managed);
    let binding = Binding {
        address: [10, 1, 2, 44].into(),
        client: Client::Mac(mac(2)),
        expires: 100,
        hostname: None,
    };
    state.table.bind(binding, 0);
    assert_eq!(ask(&state, "44.2.1.10.in-addr.arpa.", RecordType::PTR), found("silent.lxd."));
    assert_eq!(ask(&state, "45.2.1.10.in-addr.arpa.", RecordType::PTR), ABSENT);
    assert_eq!(ask(&state, "45.2.9.10.in-addr.arpa.", RecordType::PTR), None, "not our subnet");
}

#[test]
fn the_own_domain_never_leaks_and_all_else_is_forwarded() {
    let state = state(DnsMode::Managed);
    assert_eq!(ask(&state, "nobody.lxd.", RecordType::A), ABSENT);
    assert_eq!(ask(&state, "a.web.lxd.", RecordType::A), ABSENT);
    assert_eq!(ask(&state, "lxd.", RecordType::SOA), EMPTY);
    assert_eq!(ask(&state, "web.lxd.", RecordType::MX), EMPTY, "exists, without mail");
    for name in ["example.org.", "weblxd.", "nobody.", "com."] {
        assert_eq!(ask(&state, name, RecordType::A), None, "{name}");
    }
}

#[test]
fn a_guest_cannot_take_an_instances_name() {
    for mode in [DnsMode::Managed, DnsMode::Dynamic] {
        let state = state(mode);
        assert_eq!(ask(&state, "silent.lxd.", RecordType::A), EMPTY, "exists, not yet leased");
        assert_eq!(ask(&state, "liar.lxd.", RecordType::A), ABSENT, "an instance is not renamed");
    }
}

#[test]
fn names_that_clients_give_count_in_dynamic_mode_only() {
    assert_eq!(ask(&state(DnsMode::Dynamic), "pi.lxd.", RecordType::A), found("10.1.2.19"));
    assert_eq!(ask(&state(DnsMode::Managed), "pi.lxd.", RecordType::A), ABSENT);
    assert_eq!(ask(&state(DnsMode::None), "web.lxd.", RecordType::A), ABSENT);
    assert_eq!(ask(&state(DnsMode::None), "_gateway.lxd.", RecordType::A), found("10.1.2.1"));
}

#[test]
fn an_autoconfigured_address_counts_once_it_answered() {
    let mut state = state(DnsMode::Managed);
    assert_eq!(ask(&state, "web.lxd.", RecordType::AAAA), EMPTY);
    let address = mac(1).in_prefix("fd42:1:2:3::1/64".parse().unwrap());
    state.saw(mac(1), address);
    assert_eq!(ask(&state, "web.lxd.", RecordType::AAAA), found(&address.to_string()));
}

#[test]
fn rubbish_is_refused_and_responses_are_ignored() {
    let state = state(DnsMode::Managed);
    let mut bytes = query("web.lxd.", RecordType::A).to_vec().unwrap();
    bytes[2] |= 0x80;
    assert_eq!(consider(&state, 0, &bytes, false), Verdict::Ignore);
    assert_eq!(consider(&state, 0, &bytes[..11], false), Verdict::Ignore);
    let code = |bytes: &[u8]| match consider(&state, 0, bytes, false) {
        Verdict::Answer(reply) => Message::from_vec(&reply).unwrap().metadata.response_code,
        other => panic!("{other:?}"),
    };
    bytes[2] = 0x28;
    assert_eq!(code(&bytes), ResponseCode::NotImp);
    bytes[2] = 0;
    assert_eq!(code(&bytes[..14]), ResponseCode::FormErr);
    bytes[5] = 0;
    assert_eq!(code(&bytes[..12]), ResponseCode::FormErr);
}

#[test]
fn large_answers_are_cut_for_udp_and_whole_for_tcp() {
    let mut state = state(DnsMode::Managed);
    let ports = (0..60).map(|n| Host {
        name: "many".into(),
        hwaddr: mac(100 + n),
        ipv4: Some([10, 1, 2, 100 + n].into()),
        ipv6: None,
    });
    state.set_hosts(Hosts::new(ports.collect()), 0);
    let mut message = query("many.lxd.", RecordType::A);
    let reply = |message: &Message, tcp| match consider(&state, 0, &message.to_vec().unwrap(), tcp)
    {
        Verdict::Answer(bytes) => (bytes.len(), Message::from_vec(&bytes).unwrap()),
        other => panic!("{other:?}"),
    };
    let (length, small) = reply(&message, false);
    assert!(length <= 512 && small.metadata.truncation);
    let (_, whole) = reply(&message, true);
    assert_eq!((whole.answers.len(), whole.metadata.truncation), (60, false));
    message.set_edns(Edns::new().set_max_payload(4096).clone());
    let (length, wide) = reply(&message, false);
    assert!(length <= 1232 && wide.answers.len() == 60 && wide.edns.is_some());
}

#[test]
fn labels() {
    assert_eq!(label("Web-1").as_deref(), Some("web-1"));
    for bad in ["", "-a", "a-", "a.b", "a b", "ä", &"x".repeat(64)] {
        assert_eq!(label(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn hostile_queries_do_not_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), shape in 0..2) {
        if shape == 1 && bytes.len() > 12 {
            bytes[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        }
        consider(&state(DnsMode::Dynamic), 1, &bytes, false);
    }
}
