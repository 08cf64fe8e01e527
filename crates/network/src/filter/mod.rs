//! What an instance may send from its port: frames of its own hardware address and, if asked, of its
//! own IP addresses only. One table a port in family bridge; pure, [`crate::Plane`] puts it in place.
//!
//! The hardware address is looked at wherever a frame carries it: in the Ethernet header, in ARP, in
//! neighbour advertisements and in DHCP requests. The last is what ties leases and names to ports: a
//! guest that asks for a lease in another's name is not heard.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use leases::MacAddr;
use serde_json::{Value, json};

use crate::{firewall, hash};

/// Before the bridge decides where a frame goes (nft's `filter` priority in family bridge).
const PRIORITY: i32 = -200;

/// What a port may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortFilter {
    /// The port's link on this machine.
    pub host_name: String,
    /// The instance's hardware address; nothing else is let through.
    pub hwaddr: MacAddr,
    /// Its IPv4 addresses and subnets; `None` lets all through, an empty list none but DHCP.
    pub ipv4: Option<Vec<Ipv4Net>>,
    /// Its IPv6 addresses and subnets; `None` lets all through, an empty list only link-local ones.
    pub ipv6: Option<Vec<Ipv6Net>>,
}

/// The table's name.
pub(crate) fn table(tag: &str, host_name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let text: String = host_name.chars().map(safe).collect();
    format!("{}port_{text}_{:08x}", firewall::OURS, hash::stable(&[tag, host_name]) as u32)
}

/// The transaction that puts the table in place of what is there.
pub(crate) fn document(tag: &str, filter: &PortFilter) -> Value {
    let name = table(tag, &filter.host_name);
    let table = json!({ "table": { "family": "bridge", "name": name } });
    let mut out =
        vec![json!({ "add": table }), json!({ "delete": table }), json!({ "add": table })];
    out.push(json!({ "add": { "chain": { "family": "bridge", "table": name, "name": "from",
        "type": "filter", "hook": "prerouting", "prio": PRIORITY, "policy": "accept" } } }));
    let mine = json!({ "match": { "op": "==", "left": { "meta": { "key": "iifname" } },
        "right": filter.host_name } });
    for mut expr in rules(filter) {
        expr.insert(0, mine.clone());
        out.push(json!({ "add": { "rule": {
            "family": "bridge", "table": name, "chain": "from", "expr": expr } } }));
    }
    json!({ "nftables": out })
}

fn rules(filter: &PortFilter) -> Vec<Vec<Value>> {
    let mut out = hardware(filter.hwaddr);
    if let Some(nets) = &filter.ipv4 {
        ipv4(nets, &mut out);
    }
    if let Some(nets) = &filter.ipv6 {
        ipv6(filter.hwaddr, nets, &mut out);
    }
    if filter.ipv4.is_some() && filter.ipv6.is_some() {
        // What is neither could carry either: tagged frames, for one.
        out.push(vec![differs(ether_type(), json!({ "set": ["ip", "arp", "ip6"] })), drop()]);
    }
    out
}

fn hardware(mac: MacAddr) -> Vec<Vec<Value>> {
    let text = json!(mac.to_string());
    let number = mac.0.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    vec![
        vec![differs(payload("ether", "saddr"), text.clone()), drop()],
        vec![differs(payload("arp", "saddr ether"), text), drop()],
        // Where the target's hardware address stands in an advertisement (RFC 4861, 4.4 and 4.6.1).
        vec![
            equals(payload("icmpv6", "type"), json!("nd-neighbor-advert")),
            differs(raw("nh", 528), json!(number)),
            drop(),
        ],
        // The client's hardware address in a DHCP request (RFC 2131, 2), after eight octets of UDP.
        vec![
            equals(payload("udp", "dport"), json!(67)),
            differs(raw("th", 288), json!(number)),
            drop(),
        ],
    ]
}

fn ipv4(nets: &[Ipv4Net], out: &mut Vec<Vec<Value>>) {
    out.push(vec![
        equals(payload("ip", "saddr"), json!(Ipv4Addr::UNSPECIFIED)),
        equals(payload("ip", "daddr"), json!(Ipv4Addr::BROADCAST)),
        equals(payload("udp", "dport"), json!(67)),
        accept(),
    ]);
    if nets.is_empty() {
        out.push(vec![equals(ether_type(), json!({ "set": ["ip", "arp"] })), drop()]);
        return;
    }
    let nets: Vec<Value> =
        nets.iter().map(|n| prefix(n.network().to_string(), n.prefix_len())).collect();
    // Before it takes an address, a guest may ask whether it is free (RFC 5227).
    let mut arp = nets.clone();
    arp.push(prefix(Ipv4Addr::UNSPECIFIED.to_string(), 32));
    out.push(vec![differs(payload("arp", "saddr ip"), json!({ "set": arp })), drop()]);
    out.push(vec![differs(payload("ip", "saddr"), json!({ "set": nets })), drop()]);
}

fn ipv6(mac: MacAddr, nets: &[Ipv6Net], out: &mut Vec<Vec<Value>>) {
    // No guest is a router, or a DHCP server.
    out.push(vec![equals(payload("icmpv6", "type"), json!("nd-router-advert")), drop()]);
    out.push(vec![equals(payload("udp", "sport"), json!(547)), drop()]);
    let mut own: Vec<Value> =
        nets.iter().map(|n| prefix(n.network().to_string(), n.prefix_len())).collect();
    own.push(prefix(mac.link_local().to_string(), 128));
    own.push(prefix(Ipv6Addr::UNSPECIFIED.to_string(), 128));
    out.push(vec![differs(payload("ip6", "saddr"), json!({ "set": own })), drop()]);
}

fn equals(left: Value, right: Value) -> Value {
    json!({ "match": { "op": "==", "left": left, "right": right } })
}

fn differs(left: Value, right: Value) -> Value {
    json!({ "match": { "op": "!=", "left": left, "right": right } })
}

fn payload(protocol: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": field } })
}

/// Six octets at a place counted in bits.
fn raw(base: &str, offset: u32) -> Value {
    json!({ "payload": { "base": base, "offset": offset, "len": 48 } })
}

fn ether_type() -> Value {
    payload("ether", "type")
}

fn prefix(addr: String, len: u8) -> Value {
    json!({ "prefix": { "addr": addr, "len": len } })
}

fn accept() -> Value {
    json!({ "accept": null })
}

fn drop() -> Value {
    json!({ "drop": null })
}

#[cfg(test)]
mod tests;
