//! How much goes over a port. One table a port in family netdev, on the link itself; pure, [`crate::Plane`] puts it in
//! place once the link is there, and removes it after.
//!
//! What comes out of the link here is what the instance sends, and the other way round.

use serde_json::{Value, json};

use crate::{firewall, hash};

/// What may go beyond the limit at once, in bytes: the kernel passes up to 64 KiB as one (GSO). It always adds what
/// the limit allows in a second (`nft_limit_init`), so after a pause that much goes at full speed.
const BURST: u64 = 128 * 1024;
/// Before all else that looks at packets there.
const PRIORITY: i32 = -500;

/// How much goes over a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortLimits {
    /// The port's link on this machine.
    pub host_name: String,
    /// Bits per second that the instance gets.
    pub ingress: Option<u64>,
    /// Bits per second that it sends.
    pub egress: Option<u64>,
    /// The kernel's priority of what it sends.
    pub priority: Option<u32>,
}

/// The table's name.
pub(crate) fn table(tag: &str, host_name: &str) -> String {
    format!("{}limit_{:016x}", firewall::OURS, hash::stable(&[tag, host_name]))
}

/// The transaction that puts the table in place of what is there.
pub(crate) fn document(tag: &str, limits: &PortLimits) -> Value {
    let name = table(tag, &limits.host_name);
    let table = json!({ "table": { "family": "netdev", "name": name } });
    let mut out =
        vec![json!({ "add": table }), json!({ "delete": table }), json!({ "add": table })];
    let mut sent: Vec<Value> = limits.egress.map(over).into_iter().collect();
    if let Some(priority) = limits.priority {
        let key = json!({ "meta": { "key": "priority" } });
        sent.push(json!([{ "mangle": { "key": key, "value": priority } }]));
    }
    let got: Vec<Value> = limits.ingress.map(over).into_iter().collect();
    for (hook, rules) in [("ingress", sent), ("egress", got)] {
        if rules.is_empty() {
            continue;
        }
        out.push(json!({ "add": { "chain": { "family": "netdev", "table": name, "name": hook, "type": "filter",
            "hook": hook, "dev": limits.host_name, "prio": PRIORITY, "policy": "accept" } } }));
        out.extend(rules.into_iter().map(|expr| {
            json!({ "add": { "rule": { "family": "netdev", "table": name, "chain": hook, "expr": expr } } })
        }));
    }
    json!({ "nftables": out })
}

/// What is more than so many bits per second is dropped: who sends it slows down.
fn over(bits: u64) -> Value {
    let bytes = (bits / 8).max(1);
    json!([
        { "limit": { "rate": bytes, "rate_unit": "bytes", "per": "second", "inv": true,
            "burst": BURST, "burst_unit": "bytes" } },
        { "drop": null }
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_comes_out_of_the_link() {
        let limits = PortLimits {
            host_name: "veth1".into(),
            ingress: None,
            egress: Some(80_000_000),
            priority: Some(3),
        };
        let text = document("tag", &limits).to_string();
        assert!(
            text.contains(r#""hook":"ingress""#) && !text.contains(r#""hook":"egress""#),
            "{text}"
        );
        assert!(text.contains(r#""rate":10000000"#) && text.contains(r#""value":3"#), "{text}");
    }
}
