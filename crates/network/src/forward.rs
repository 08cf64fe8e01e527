//! Packets that come to this machine and go on to an instance (DNAT). One table an instance in family inet; pure,
//! [`crate::Plane`] puts it in place.
//!
//! | chain | does |
//! |---|---|
//! | prerouting | sends on what comes from elsewhere |
//! | output | sends on what this machine itself sends |
//! | postrouting | lets the instance reach itself by that address: else it would answer itself in its own name |

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::{Value, json};

use crate::{firewall, hash};

/// nft's `dstnat` and `srcnat` priorities.
const DESTINATION: i32 = -100;
const SOURCE: i32 = 100;

/// Ports of an address of this machine, and where they lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Datagrams; else streams.
    pub udp: bool,
    /// An address of this machine; any of them if it is not specified.
    pub listen: IpAddr,
    /// Its ports.
    pub ports: Vec<u16>,
    /// The instance's address.
    pub target: IpAddr,
    /// One port, or as many.
    pub target_ports: Vec<u16>,
}

/// The table's name.
pub(crate) fn table(tag: &str, id: &str) -> String {
    format!("{}to_{:016x}", firewall::OURS, hash::stable(&[tag, id]))
}

/// The transaction that puts the table in place of what is there.
pub(crate) fn document(tag: &str, id: &str, forwards: &[Forward]) -> Value {
    let name = table(tag, id);
    let table = json!({ "table": { "family": "inet", "name": name } });
    let mut out =
        vec![json!({ "add": table }), json!({ "delete": table }), json!({ "add": table })];
    let chains = [("prerouting", DESTINATION), ("output", DESTINATION), ("postrouting", SOURCE)];
    for (chain, priority) in chains {
        out.push(json!({ "add": { "chain": { "family": "inet", "table": name, "name": chain,
            "type": "nat", "hook": chain, "prio": priority, "policy": "accept" } } }));
    }
    let mut add = |chain: &str, expr: &[Value]| {
        out.push(json!({ "add": { "rule": { "family": "inet", "table": name, "chain": chain, "expr": expr } } }));
    };
    let mut targets = Vec::new();
    for forward in forwards {
        for expr in rules(forward) {
            add("prerouting", &expr);
            add("output", &expr);
        }
        if !targets.contains(&forward.target) {
            targets.push(forward.target);
        }
    }
    for target in targets {
        let address = json!(target.to_string());
        let own = |side| equals(payload(family(target), side), address.clone());
        add("postrouting", &[own("saddr"), own("daddr"), json!({ "masquerade": null })]);
    }
    json!({ "nftables": out })
}

fn rules(forward: &Forward) -> Vec<Vec<Value>> {
    let family = family(forward.target);
    let to_us = match forward.listen.is_unspecified() {
        true => equals(json!({ "fib": { "result": "type", "flags": ["daddr"] } }), json!("local")),
        false => equals(payload(family, "daddr"), json!(forward.listen.to_string())),
    };
    // Of this family: one that is for any address names none.
    let of_family = equals(json!({ "meta": { "key": "nfproto" } }), json!(nfproto(forward.target)));
    let protocol = if forward.udp { "udp" } else { "tcp" };
    let rule = |(target, ports): (Option<u16>, Vec<u16>)| {
        let mut to = json!({ "family": family, "addr": forward.target.to_string() });
        if let Some(port) = target {
            to["port"] = json!(port);
        }
        let ports = equals(payload(protocol, "dport"), json!({ "set": ranges(&ports) }));
        vec![of_family.clone(), to_us.clone(), ports, json!({ "dnat": to })]
    };
    by_target(forward).into_iter().map(rule).collect()
}

/// Ports by the port they lead to; `None` is each to its own.
fn by_target(forward: &Forward) -> BTreeMap<Option<u16>, Vec<u16>> {
    let mut all: BTreeMap<Option<u16>, Vec<u16>> = BTreeMap::new();
    for (at, port) in forward.ports.iter().enumerate() {
        let to = match forward.target_ports[..] {
            [one] => one,
            _ => forward.target_ports.get(at).copied().unwrap_or(*port),
        };
        all.entry((to != *port).then_some(to)).or_default().push(*port);
    }
    all
}

/// Ports as a set of nft's, with what follows each other as one.
fn ranges(ports: &[u16]) -> Vec<Value> {
    let mut sorted = ports.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for port in sorted {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let one = |(first, last): (u16, u16)| match first == last {
        true => json!(first),
        false => json!({ "range": [first, last] }),
    };
    runs.into_iter().map(one).collect()
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

fn nfproto(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4" } else { "ipv6" }
}

fn equals(left: Value, right: Value) -> Value {
    json!({ "match": { "op": "==", "left": left, "right": right } })
}

fn payload(protocol: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": field } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(ports: &[u16], target_ports: &[u16]) -> Forward {
        Forward {
            udp: false,
            listen: [10, 0, 0, 1].into(),
            ports: ports.to_vec(),
            target: [10, 9, 0, 2].into(),
            target_ports: target_ports.to_vec(),
        }
    }

    #[test]
    fn ports_that_stay_are_one_rule() {
        let many: Vec<u16> = (10_000..=20_000).collect();
        let all = by_target(&forward(&many, &many));
        assert_eq!(all.len(), 1);
        assert_eq!(ranges(&all[&None]), [json!({ "range": [10_000, 20_000] })]);
        let one = by_target(&forward(&[80, 81, 90], &[8080]));
        assert_eq!(one[&Some(8080)], [80, 81, 90]);
        assert_eq!(ranges(&one[&Some(8080)]), [json!({ "range": [80, 81] }), json!(90)]);
        let each = by_target(&forward(&[80, 443], &[80, 8443]));
        assert_eq!((&each[&None], &each[&Some(8443)]), (&vec![80], &vec![443]));
    }

    #[test]
    fn the_kernel_takes_it() {
        let mut forwards =
            vec![forward(&[80, 443], &[8080]), forward(&[5000, 5001], &[5000, 5001])];
        let mut any = forward(&[53], &[53]);
        any.udp = true;
        any.listen = "::".parse().unwrap();
        any.target = "fd00::2".parse().unwrap();
        forwards.push(any);
        let document = document("tag", "default_c1", &forwards);
        match exec::nft::check(&document) {
            Ok(()) => {}
            Err(error) if error.stderr_has("Operation not permitted") => {
                eprintln!("SKIP: no rules without root");
            }
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
}
