//! The packet filter of a bridge: one table of its own, put in place whole.
//!
//! | chain | does |
//! |---|---|
//! | input | lets guests reach DHCP, names and neighbour discovery |
//! | forward | lets guests through, or not when routing is off |
//! | postrouting | translates guests' addresses |
//! | plan_… | empty; its name says which plan the table was made of |
//!
//! Where Docker filters, two rules go into its chain for others' rules.

use serde_json::{Value, json};

use super::plan::Resolved;
use crate::{Facts, Family, ForeignRule, Table, firewall, hash};

/// DHCPv4 and DHCPv6 servers, and DNS.
const PORTS4: [u16; 2] = [53, 67];
const PORTS6: [u16; 2] = [53, 547];

pub(super) fn plan(resolved: &Resolved<'_>) -> Table {
    let name = &resolved.table;
    let mut rules = Vec::new();
    let mut chains = Vec::new();
    let (filtered, nat) = (filter(resolved), nat(resolved));
    if !filtered.is_empty() {
        chains.push(base_chain(name, "input", "filter", "input", 0));
        chains.push(base_chain(name, "forward", "filter", "forward", 0));
        rules.extend(filtered);
    }
    if !nat.is_empty() {
        chains.push(base_chain(name, "postrouting", "nat", "postrouting", 100));
        rules.extend(nat.iter().cloned());
    }
    let count = rules.len();
    let body: Vec<Value> = chains.into_iter().chain(rules).collect();
    let marker = format!("{}{:016x}", firewall::MARKER, hash::stable(&[&json!(body).to_string()]));
    let document = document(name, &marker, body);
    Table { name: name.clone(), marker, rules: count, document, nat: !nat.is_empty() }
}

/// Adding the table first makes its deletion succeed in either case; one transaction does all.
fn document(name: &str, marker: &str, body: Vec<Value>) -> Value {
    let table = json!({ "table": { "family": "inet", "name": name } });
    let mark = json!({ "add": { "chain": { "family": "inet", "table": name, "name": marker } } });
    let head = [json!({ "add": table }), json!({ "delete": table }), json!({ "add": table }), mark];
    json!({ "nftables": head.into_iter().chain(body).collect::<Vec<Value>>() })
}

fn filter(resolved: &Resolved<'_>) -> Vec<Value> {
    let (name, link) = (&resolved.table, resolved.link.name.as_str());
    let mut out = Vec::new();
    let v4 = resolved.bridge.ipv4.as_ref().filter(|_| resolved.ipv4.is_some());
    if let Some(v4) = v4.filter(|v4| v4.firewall) {
        out.extend(reachable(name, link, "ipv4", PORTS4));
        out.extend(through(name, link, "ipv4", v4.routing));
    }
    let v6 = resolved.bridge.ipv6.as_ref().filter(|_| resolved.ipv6.is_some());
    if let Some(v6) = v6.filter(|v6| v6.firewall) {
        out.push(rule(
            name,
            "input",
            vec![
                same("meta", "iifname", link),
                same("meta", "l4proto", ICMPV6),
                json!({ "accept": null }),
            ],
        ));
        out.extend(reachable(name, link, "ipv6", PORTS6));
        out.extend(through(name, link, "ipv6", v6.routing));
    }
    out
}

fn reachable(table: &str, link: &str, family: &str, ports: [u16; 2]) -> [Value; 2] {
    let from = [same("meta", "iifname", link), same("meta", "nfproto", family)];
    let accept = json!({ "accept": null });
    let udp = matching("==", payload("udp", "dport"), json!({ "set": ports }));
    let tcp = matching("==", payload("tcp", "dport"), json!(53));
    [udp, tcp].map(|what| {
        let expr = from.iter().cloned().chain([what, accept.clone()]).collect();
        rule(table, "input", expr)
    })
}

/// Frames between guests are left alone even when the machine filters bridged traffic (Docker makes
/// it do so).
fn through(table: &str, link: &str, family: &str, routing: bool) -> Vec<Value> {
    let proto = same("meta", "nfproto", family);
    if routing {
        let accept = json!({ "accept": null });
        return ["iifname", "oifname"]
            .map(|side| {
                let expr = vec![same("meta", side, link), proto.clone(), accept.clone()];
                rule(table, "forward", expr)
            })
            .into();
    }
    let refuse = json!({ "reject": { "type": "icmpx", "expr": "admin-prohibited" } });
    [("iifname", "oifname"), ("oifname", "iifname")]
        .map(|(side, other)| {
            let away = matching("!=", json!({ "meta": { "key": other } }), json!(link));
            let expr = vec![same("meta", side, link), away, proto.clone(), refuse.clone()];
            rule(table, "forward", expr)
        })
        .into()
}

fn nat(resolved: &Resolved<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    if let (Some(v4), Some(net)) = (&resolved.bridge.ipv4, resolved.ipv4)
        && v4.nat
    {
        let net = prefix(net.network().to_string(), net.prefix_len());
        let to = v4.nat_address.map(|address| address.to_string());
        out.push(translate(&resolved.table, "ip", &net, to));
    }
    if let (Some(v6), Some(net)) = (&resolved.bridge.ipv6, resolved.ipv6)
        && v6.nat
    {
        let net = prefix(net.network().to_string(), net.prefix_len());
        let to = v6.nat_address.map(|address| address.to_string());
        out.push(translate(&resolved.table, "ip6", &net, to));
    }
    out
}

fn translate(table: &str, family: &str, net: &Value, to: Option<String>) -> Value {
    let verdict = match to {
        Some(address) => json!({ "snat": { "family": family, "addr": address } }),
        None => json!({ "masquerade": null }),
    };
    let from = matching("==", payload(family, "saddr"), net.clone());
    let away = matching("!=", payload(family, "daddr"), net.clone());
    rule(table, "postrouting", vec![from, away, verdict])
}

/// Families in which Docker filters and the bridge has something to let through.
pub(super) fn docker_families(resolved: &Resolved<'_>, facts: &Facts) -> Vec<Family> {
    let v4 = resolved.bridge.ipv4.as_ref().is_some_and(|v4| v4.firewall && v4.routing);
    let v6 = resolved.bridge.ipv6.as_ref().is_some_and(|v6| v6.firewall && v6.routing);
    let wanted = |family: &&Family| match family {
        Family::Ip => v4 && resolved.ipv4.is_some(),
        Family::Ip6 => v6 && resolved.ipv6.is_some(),
        Family::Inet => false,
    };
    facts.firewall.docker.iter().filter(wanted).copied().collect()
}

/// The transaction that puts two rules into Docker's chain in place of the old ones; without a link
/// it only removes. The counters let iptables read the rules as its own.
pub(crate) fn docker(
    family: Family,
    old: &[ForeignRule],
    comment: &str,
    link: Option<&str>,
) -> Value {
    let place = |extra: Value| {
        let mut rule =
            json!({ "family": family.name(), "table": "filter", "chain": firewall::DOCKER_CHAIN });
        if let (Some(rule), Value::Object(extra)) = (rule.as_object_mut(), extra) {
            rule.extend(extra);
        }
        json!({ "rule": rule })
    };
    let gone = old.iter().map(|rule| json!({ "delete": place(json!({ "handle": rule.handle })) }));
    let sides = link.into_iter().flat_map(|link| {
        ["oifname", "iifname"].map(|side| {
            let counter = json!({ "counter": { "packets": 0, "bytes": 0 } });
            let expr = [same("meta", side, link), counter, json!({ "accept": null })];
            json!({ "insert": place(json!({ "comment": comment, "expr": expr })) })
        })
    });
    json!({ "nftables": gone.chain(sides).collect::<Vec<Value>>() })
}

fn base_chain(table: &str, name: &str, kind: &str, hook: &str, prio: i32) -> Value {
    json!({ "add": { "chain": { "family": "inet", "table": table, "name": name, "type": kind,
        "hook": hook, "prio": prio, "policy": "accept" } } })
}

fn rule(table: &str, chain: &str, expr: Vec<Value>) -> Value {
    json!({ "add": { "rule": { "family": "inet", "table": table, "chain": chain, "expr": expr } } })
}

/// ICMPv6 as an IP protocol (RFC 4443). Its name is only known where /etc/protocols is installed.
const ICMPV6: u8 = 58;

fn same(space: &str, key: &str, value: impl Into<Value>) -> Value {
    matching("==", json!({ space: { "key": key } }), value.into())
}

fn matching(op: &str, left: Value, right: Value) -> Value {
    json!({ "match": { "op": op, "left": left, "right": right } })
}

fn payload(protocol: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": field } })
}

fn prefix(addr: String, len: u8) -> Value {
    json!({ "prefix": { "addr": addr, "len": len } })
}
