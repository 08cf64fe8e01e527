use std::fmt::Write as _;

use ipnet::IpNet;
use serde_json::Value;

use super::*;
use crate::{Error, Warning, driver, facts::LinkFact, facts::RouteFact, firewall};

fn facts() -> Facts {
    Facts {
        machine_id: "4f2a".into(),
        links: vec![LinkFact {
            index: 2,
            name: "eth0".into(),
            addresses: vec!["192.0.2.2/24".parse().unwrap()],
            ..LinkFact::default()
        }],
        routes: vec![RouteFact { net: "0.0.0.0/0".parse().unwrap(), link: Some(2), fixed: false }],
        accepting_ra: vec!["eth0".into()],
        ipv6: true,
        ..Facts::default()
    }
}

fn spec(bridge: BridgeSpec) -> NetworkSpec {
    let link = String::from("mcbr0");
    NetworkSpec { name: link.clone(), link, kind: Kind::Bridge(bridge), state_dir: "/s".into() }
}

fn usual() -> BridgeSpec {
    BridgeSpec {
        ipv4: Some(Ipv4Spec {
            address: Address::Fixed("10.5.7.1/24".parse().unwrap()),
            nat: true,
            ..Ipv4Spec::default()
        }),
        ipv6: Some(Ipv6Spec {
            address: Address::Fixed("fd42:1:2:3::1/64".parse().unwrap()),
            nat: true,
            ..Ipv6Spec::default()
        }),
        ..BridgeSpec::default()
    }
}

fn plan(bridge: BridgeSpec, facts: &Facts) -> Result<Desired> {
    let spec = spec(bridge);
    driver(&spec.kind).plan("a1", &spec, facts)
}

/// A plan as text, one thing a line.
fn text(desired: &Desired) -> String {
    let mut out = String::new();
    let link = &desired.link;
    writeln!(out, "link {} {} mtu {} alias '{}'", link.name, link.hwaddr, link.mtu, link.alias)
        .unwrap();
    desired.ports.iter().for_each(|port| writeln!(out, "port {port}").unwrap());
    desired.addresses.iter().for_each(|net| writeln!(out, "address {net}").unwrap());
    desired.routes.iter().for_each(|net| writeln!(out, "route {net}").unwrap());
    desired.sysctls.iter().for_each(|s| writeln!(out, "sysctl {} = {}", s.path, s.value).unwrap());
    for command in desired.table.document["nftables"].as_array().unwrap() {
        writeln!(out, "nft {}", readable(command)).unwrap();
    }
    desired.docker.iter().for_each(|family| writeln!(out, "docker {family}").unwrap());
    desired.warnings.iter().for_each(|warning| writeln!(out, "warning {warning}").unwrap());
    writeln!(out, "{:#?}", desired.service).unwrap();
    out
}

/// A command of nft in words, so that the file can be read, and does not depend on the order in
/// which JSON is written.
fn readable(command: &Value) -> String {
    let (verb, object) = command.as_object().unwrap().iter().next().unwrap();
    let (kind, body) = object.as_object().unwrap().iter().next().unwrap();
    let part = |key: &str| body[key].as_str().unwrap_or_default();
    match kind.as_str() {
        "rule" => {
            let words = body["expr"].as_array().unwrap().iter().map(expression);
            format!("{verb} rule {}: {}", part("chain"), words.collect::<Vec<_>>().join(" "))
        }
        "chain" if body.get("hook").is_some() => format!(
            "{verb} chain {} {{ type {} hook {} priority {}; policy {} }}",
            part("name"),
            part("type"),
            part("hook"),
            body["prio"],
            part("policy")
        ),
        _ => format!("{verb} {kind} {}", part("name")),
    }
}

fn expression(value: &Value) -> String {
    let Some(test) = value.get("match") else {
        return match value.as_object().unwrap().iter().next().unwrap() {
            (verb, Value::Null) => verb.clone(),
            (verb, detail) => format!("{verb} {}", plain(detail)),
        };
    };
    format!("{} {} {}", plain(&test["left"]), test["op"].as_str().unwrap(), plain(&test["right"]))
}

/// Values without their keys, in the order of the keys.
fn plain(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            sorted.into_values().map(plain).collect::<Vec<_>>().join(" ")
        }
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Compares with the file; `UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, bridge: BridgeSpec, facts: &Facts) {
    let path = format!("{}/src/bridge/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = text(&plan(bridge, facts).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap();
    assert!(text == want, "{name} changed; look at it with UPDATE_GOLDEN=1 and git diff\n{text}");
}

#[test]
fn the_usual_network() {
    golden("usual", usual(), &facts());
}

#[test]
fn a_network_with_everything_set() {
    let mut bridge = usual();
    let v4 = bridge.ipv4.as_mut().unwrap();
    v4.nat_address = Some("192.0.2.9".parse().unwrap());
    v4.gateway = Some("10.5.7.254".parse().unwrap());
    let (first, last) = ("10.5.7.100".parse().unwrap(), "10.5.7.199".parse().unwrap());
    v4.ranges = vec![Range { first, last }];
    v4.routes = vec!["10.99.0.5/24".parse().unwrap()];
    let v6 = bridge.ipv6.as_mut().unwrap();
    (v6.stateful, v6.nat, v6.firewall) = (true, false, false);
    bridge.mtu = Some(9000);
    bridge.hwaddr = Some("00:16:3e:00:00:01".parse().unwrap());
    bridge.external_interfaces = vec!["eth1".into(), "eth2".into()];
    bridge.dns.search = vec!["lan".into(), "example.org".into()];
    let mut facts = facts();
    facts.links.push(LinkFact { index: 3, name: "eth1".into(), ..LinkFact::default() });
    facts.firewall.docker = vec![firewall::Family::Ip, firewall::Family::Ip6];
    golden("everything", bridge, &facts);
}

#[test]
fn a_closed_network_refuses_the_way_out_but_not_among_guests() {
    let mut bridge = usual();
    bridge.ipv6 = None;
    let v4 = bridge.ipv4.as_mut().unwrap();
    (v4.routing, v4.nat, v4.dhcp) = (false, false, false);
    golden("closed", bridge, &facts());
}

#[test]
fn a_network_without_addresses_is_only_a_wire() {
    golden("wire", BridgeSpec::default(), &facts());
}

#[test]
fn a_plan_is_the_same_every_time_and_another_for_another_daemon() {
    let one = plan(usual(), &facts()).unwrap();
    assert_eq!(one, plan(usual(), &facts()).unwrap());
    let spec = spec(usual());
    let two = driver(&spec.kind).plan("b2", &spec, &facts()).unwrap();
    assert_ne!(one.link.hwaddr, two.link.hwaddr);
    assert_ne!(one.table.name, two.table.name);
    let elsewhere = Facts { machine_id: "other".into(), ..facts() };
    assert_ne!(one.link.hwaddr, plan(usual(), &elsewhere).unwrap().link.hwaddr);
}

#[test]
fn table_names_cannot_be_mistaken() {
    let table = |tag: &str, name: &str| {
        let spec = NetworkSpec { name: name.into(), ..spec(usual()) };
        driver(&spec.kind).identity(tag, &spec, &facts()).table
    };
    assert_ne!(table("a", "b-c"), table("a", "b_c"));
    assert_ne!(table("a", "b.c"), table("a", "b-c"));
    assert_ne!(table("a_b", "c"), table("a", "b_c"));
}

#[test]
fn a_kernel_without_ipv6_gets_the_rest() {
    let facts = Facts { ipv6: false, ..facts() };
    let desired = plan(usual(), &facts).unwrap();
    assert_eq!(desired.warnings, [Warning::NoIpv6]);
    assert!(desired.sysctls.iter().all(|sysctl| !sysctl.path.contains("ipv6")));
    assert!(desired.addresses.iter().all(|net| matches!(net, IpNet::V4(_))));
}

#[test]
fn addresses_that_cannot_work_are_refused() {
    for bad in ["10.0.0.0/24", "10.0.0.255/24", "0.0.0.1/0", "127.0.0.1/8", "224.0.0.1/24"] {
        let mut bridge = usual();
        bridge.ipv4.as_mut().unwrap().address = Address::Fixed(bad.parse().unwrap());
        let error = plan(bridge, &facts()).unwrap_err();
        assert!(matches!(error, Error::BadAddress { .. }), "{bad}");
    }
    for bad in ["", "a/b", "sixteen-letters-", "a b", "..", "a:b"] {
        let spec = NetworkSpec { link: bad.into(), ..spec(usual()) };
        let error = driver(&spec.kind).plan("a1", &spec, &facts()).unwrap_err();
        assert!(matches!(error, Error::BadName(_)), "{bad}");
    }
}

#[test]
fn ranges_outside_of_the_subnet_or_backward_are_refused() {
    for (first, last) in
        [("10.5.8.1", "10.5.8.9"), ("10.5.7.9", "10.5.7.2"), ("10.5.7.9", "10.5.8.9")]
    {
        let mut bridge = usual();
        let range = Range { first: first.parse().unwrap(), last: last.parse().unwrap() };
        bridge.ipv4.as_mut().unwrap().ranges = vec![range];
        let error = plan(bridge, &facts()).unwrap_err();
        assert!(matches!(error, Error::BadRange { .. }), "{first}-{last}");
    }
}

#[test]
fn an_ipv6_subnet_that_guests_cannot_use_is_told() {
    let mut bridge = usual();
    let v6 = bridge.ipv6.as_mut().unwrap();
    v6.address = Address::Fixed("fd42:1:2:3::1/80".parse().unwrap());
    v6.stateful = true;
    assert_eq!(plan(bridge.clone(), &facts()).unwrap().warnings, []);
    bridge.ipv6.as_mut().unwrap().stateful = false;
    let net = "fd42:1:2:3::/80".parse().unwrap();
    assert_eq!(plan(bridge, &facts()).unwrap().warnings, [Warning::NotSlash64 { net }]);
}

#[test]
fn an_overlap_is_told_but_its_own_subnet_is_none() {
    let mut facts = facts();
    let own = LinkFact {
        index: 9,
        name: "mcbr0".into(),
        addresses: vec!["10.5.7.1/24".parse().unwrap()],
        ..LinkFact::default()
    };
    facts.links.push(own);
    let route = |net: &str, link| RouteFact { net: net.parse().unwrap(), link, fixed: false };
    facts.routes.push(route("10.5.7.0/24", Some(9)));
    assert_eq!(plan(usual(), &facts).unwrap().warnings, []);
    facts.routes.push(route("10.0.0.0/8", Some(2)));
    let net = "10.5.7.0/24".parse().unwrap();
    assert_eq!(plan(usual(), &facts).unwrap().warnings, [Warning::Overlap { net }]);
}

#[test]
fn auto_keeps_what_the_bridge_has() {
    let bridge = BridgeSpec { ipv4: Some(Ipv4Spec::default()), ..BridgeSpec::default() };
    let mut facts = facts();
    let own = LinkFact {
        name: "mcbr0".into(),
        addresses: vec!["10.9.9.1/24".parse().unwrap()],
        ..LinkFact::default()
    };
    let picked = |facts: &Facts| {
        resolve(&spec(bridge.clone()), &bridge, facts, || 0x0102).unwrap().ipv4.unwrap().address
    };
    assert_eq!(picked(&facts), Address::Fixed("10.1.2.1/24".parse().unwrap()));
    facts.links.push(own);
    assert_eq!(picked(&facts), Address::Fixed("10.9.9.1/24".parse().unwrap()));
}
