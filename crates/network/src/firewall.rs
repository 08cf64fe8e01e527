//! What other programs' packet filters do, read from `nft -j list ruleset` (iptables-nft included).
//!
//! An accept in a table of ours does not undo a drop in another: every chain on a hook has its say.
//! Docker sets its FORWARD chain to drop, and leaves the chain DOCKER-USER for others' rules.

use serde_json::Value;

/// Where Docker lets others put rules.
pub(crate) const DOCKER_CHAIN: &str = "DOCKER-USER";
/// Tables of this program, of whichever daemon.
pub(crate) const OURS: &str = "microcloud_";

/// Table families that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
}

impl Family {
    /// As nft calls it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Inet => "inet",
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
        }
    }

    fn parse(text: &str) -> Option<Family> {
        [Family::Inet, Family::Ip, Family::Ip6].into_iter().find(|family| family.name() == text)
    }
}

/// The part of the machine's rules that concerns bridges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firewall {
    /// Families in which Docker filters.
    pub docker: Vec<Family>,
    /// Rules in Docker's chain that carry a comment.
    pub foreign: Vec<ForeignRule>,
    /// Chains that drop what they do not name, Docker's aside.
    pub denials: Vec<Denial>,
    /// ufw is active.
    pub ufw: bool,
    /// firewalld is active.
    pub firewalld: bool,
    /// Old-style iptables tables are loaded.
    pub legacy: bool,
    /// Our tables: name, marker chain, number of rules.
    pub tables: Vec<OwnTable>,
}

/// A table of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnTable {
    /// Its name.
    pub name: String,
    /// Name of the chain that marks which plan it is of.
    pub marker: Option<String>,
    /// Rules in it.
    pub rules: usize,
}

/// One rule in Docker's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRule {
    /// Whose table.
    pub family: Family,
    /// The rule's number.
    pub handle: u64,
    /// Says whose rule it is.
    pub comment: String,
}

/// A chain that drops by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Family of its table.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// `forward` or `input`.
    pub hook: String,
}

/// Chains of this name in our tables say which plan the table was made of.
pub(crate) const MARKER: &str = "plan_";

/// Reads a whole ruleset.
pub(crate) fn read(ruleset: &Value) -> Firewall {
    let mut out = Firewall::default();
    let empty = Vec::new();
    let items = ruleset["nftables"].as_array().unwrap_or(&empty);
    for item in items {
        if let Some(table) = item.get("table") {
            read_table(&mut out, table);
        } else if let Some(chain) = item.get("chain") {
            read_chain(&mut out, chain);
        } else if let Some(rule) = item.get("rule") {
            read_rule(&mut out, rule);
        }
    }
    let docker = out.docker.clone();
    out.denials
        .retain(|d| !(d.table == "filter" && d.hook == "forward" && docker.contains(&d.family)));
    out
}

fn read_table(out: &mut Firewall, table: &Value) {
    let Some((_, name)) = place(table, "name") else { return };
    out.firewalld |= name == "firewalld";
    if name.starts_with(OURS) {
        out.tables.push(OwnTable { name: name.to_owned(), marker: None, rules: 0 });
    }
}

fn read_chain(out: &mut Firewall, chain: &Value) {
    let Some((family, table)) = place(chain, "table") else { return };
    let name = chain["name"].as_str().unwrap_or_default();
    if let Some(own) = out.tables.iter_mut().find(|own| own.name == table) {
        if name.starts_with(MARKER) {
            own.marker = Some(name.to_owned());
        }
        return;
    }
    if name == DOCKER_CHAIN && table == "filter" {
        out.docker.push(family);
    }
    out.ufw |= name.starts_with("ufw-user-") || name.starts_with("ufw6-user-");
    let hook = chain["hook"].as_str().unwrap_or_default();
    if ["input", "forward"].contains(&hook) && chain["policy"] == "drop" {
        let (table, chain, hook) = (table.to_owned(), name.to_owned(), hook.to_owned());
        out.denials.push(Denial { family, table, chain, hook });
    }
}

fn read_rule(out: &mut Firewall, rule: &Value) {
    let Some((family, table)) = place(rule, "table") else { return };
    if let Some(own) = out.tables.iter_mut().find(|own| own.name == table) {
        own.rules += 1;
    }
    let handle = rule["handle"].as_u64();
    if let (DOCKER_CHAIN, Some(comment), Some(handle)) =
        (rule["chain"].as_str().unwrap_or_default(), rule["comment"].as_str(), handle)
    {
        out.foreign.push(ForeignRule { family, handle, comment: comment.to_owned() });
    }
}

fn place<'a>(item: &'a Value, table: &str) -> Option<(Family, &'a str)> {
    Some((Family::parse(item["family"].as_str()?)?, item[table].as_str()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chain(family: &str, table: &str, name: &str, hook: &str, policy: &str) -> Value {
        json!({ "chain": { "family": family, "table": table, "name": name, "handle": 1,
            "type": "filter", "hook": hook, "prio": 0, "policy": policy } })
    }

    #[test]
    fn docker_is_recognised_by_its_chain() {
        let firewall = read(&json!({ "nftables": [
            chain("ip", "filter", "FORWARD", "forward", "drop"),
            { "chain": { "family": "ip", "table": "filter", "name": "DOCKER-USER", "handle": 2 } },
            { "rule": { "family": "ip", "table": "filter", "chain": "DOCKER-USER", "handle": 9,
                "comment": "microcloud_x_br0", "expr": [] } },
            { "rule": { "family": "ip", "table": "filter", "chain": "DOCKER-USER", "handle": 10,
                "expr": [] } },
        ] }));
        assert_eq!(firewall.docker, [Family::Ip]);
        assert!(firewall.denials.is_empty(), "Docker's own drop is handled");
        assert_eq!(firewall.foreign.len(), 1);
        assert_eq!(firewall.foreign[0].handle, 9);
    }

    #[test]
    fn other_drops_are_told() {
        let firewall = read(&json!({ "nftables": [
            { "table": { "family": "inet", "name": "firewalld", "handle": 1 } },
            chain("inet", "mine", "guard", "input", "drop"),
            chain("ip", "filter", "FORWARD", "forward", "drop"),
            { "chain": { "family": "ip", "table": "filter", "name": "ufw-user-forward" } },
            chain("ip", "filter", "OUTPUT", "output", "drop"),
            chain("ip", "nat", "PRE", "prerouting", "accept"),
        ] }));
        assert!(firewall.ufw && firewall.firewalld && firewall.docker.is_empty());
        let hooks: Vec<&str> = firewall.denials.iter().map(|d| d.hook.as_str()).collect();
        assert_eq!(hooks, ["input", "forward"]);
    }

    #[test]
    fn our_tables_are_counted_and_do_not_count_as_denials() {
        let firewall = read(&json!({ "nftables": [
            { "metainfo": { "version": "1.0.6" } },
            { "table": { "family": "inet", "name": "microcloud_t_br0", "handle": 1 } },
            chain("inet", "microcloud_t_br0", "forward", "forward", "drop"),
            { "chain": { "family": "inet", "table": "microcloud_t_br0", "name": "plan_1f" } },
            { "rule": { "family": "inet", "table": "microcloud_t_br0", "chain": "forward" } },
        ] }));
        let own =
            OwnTable { name: "microcloud_t_br0".into(), marker: Some("plan_1f".into()), rules: 1 };
        assert_eq!((firewall.tables, firewall.denials), (vec![own], vec![]));
    }
}
