//! `nft`: the kernel's firewall tables, spoken to in JSON (libnftables-json(5)).
//!
//! It acts on the network namespace of the calling thread.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control::Control;
use crate::error::{Error, Result};
use crate::run::run;
use crate::tool::Tool;

/// Kernels without IPv6 or with huge sets are slow, but never this slow.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The family a table belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 and IPv6 together.
    Inet,
    /// IPv4 only.
    Ip,
    /// IPv6 only.
    Ip6,
    /// Frames on a bridge.
    Bridge,
    /// ARP packets.
    Arp,
    /// Packets of one device, before anything else.
    Netdev,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Inet => "inet",
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
            Family::Bridge => "bridge",
            Family::Arp => "arp",
            Family::Netdev => "netdev",
        })
    }
}

/// Applies a document `{"nftables": [...]}` of commands as one transaction: all of it or nothing.
pub fn apply(document: &Value) -> Result<()> {
    run(nft(&["-j", "-f", "-"]).input(document.to_string()), &Control::none()).map(drop)
}

/// Whether [`apply`] would succeed, without changing anything.
pub fn check(document: &Value) -> Result<()> {
    run(nft(&["-j", "-c", "-f", "-"]).input(document.to_string()), &Control::none()).map(drop)
}

/// Everything there is, as a document `{"nftables": [...]}`.
pub fn ruleset() -> Result<Value> {
    parse(&run(nft(&["-j", "list", "ruleset"]), &Control::none())?.stdout)
}

/// One table with all in it, `None` where there is no such table.
pub fn table(family: Family, name: &str) -> Result<Option<Value>> {
    let tool = nft(&["-j", "list", "table", &family.to_string(), name]);
    match run(tool, &Control::none()) {
        Ok(output) => parse(&output.stdout).map(Some),
        Err(error) if error.stderr_has("No such file or directory") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a table and all in it; it need not exist.
pub fn remove_table(family: Family, name: &str) -> Result<()> {
    // Adding first makes the deletion succeed in either case, within one transaction.
    let table = json!({ "table": { "family": family.to_string(), "name": name } });
    match apply(&json!({ "nftables": [{ "add": table }, { "delete": table }] })) {
        // A kernel without the family has none of its tables.
        Err(error) if error.stderr_has("Operation not supported") => Ok(()),
        done => done,
    }
}

fn nft<'a>(args: &[&str]) -> Tool<'a> {
    Tool::new("nft", "nftables").args(args).timeout(TIMEOUT)
}

fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { program: "nft", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `test` on a thread with a network namespace of its own.
    #[expect(deprecated, reason = "unsafe only for namespaces that threads share: not this one")]
    fn in_netns(test: fn()) {
        use rustix::thread::{UnshareFlags, unshare};
        let runner = std::thread::spawn(move || {
            if let Err(error) = unshare(UnshareFlags::NEWNET) {
                eprintln!("SKIP: no network namespace: {error}");
                return;
            }
            match ruleset() {
                Ok(_) => test(),
                Err(error) => eprintln!("SKIP: nft does not work here: {error}"),
            }
        });
        runner.join().unwrap();
    }

    fn document(name: &str, last: Value) -> Value {
        json!({ "nftables": [
            { "add": { "table": { "family": "inet", "name": name } } },
            { "add": { "chain": { "family": "inet", "table": name, "name": "in" } } },
            last,
        ] })
    }

    fn rule(table: &str) -> Value {
        json!({ "add": { "rule": {
            "family": "inet", "table": table, "chain": "in", "expr": [{ "accept": null }] } } })
    }

    #[test]
    fn a_table_comes_and_goes() {
        in_netns(|| {
            assert_eq!(table(Family::Inet, "exec_test").unwrap(), None);
            apply(&document("exec_test", rule("exec_test"))).unwrap();
            let there = table(Family::Inet, "exec_test").unwrap().unwrap();
            assert!(there.to_string().contains(r#"{"accept":null}"#), "{there}");
            assert!(ruleset().unwrap().to_string().contains("exec_test"));
            remove_table(Family::Inet, "exec_test").unwrap();
            assert_eq!(table(Family::Inet, "exec_test").unwrap(), None);
            remove_table(Family::Inet, "exec_test").expect("removing twice is fine");
        });
    }

    #[test]
    fn a_bad_document_changes_nothing() {
        in_netns(|| {
            let error = apply(&document("exec_half", rule("elsewhere"))).unwrap_err();
            assert!(error.to_string().contains("`nft -j -f -` failed"), "{error}");
            assert_eq!(table(Family::Inet, "exec_half").unwrap(), None);
        });
    }

    #[test]
    fn checking_changes_nothing() {
        in_netns(|| {
            check(&document("exec_dry", rule("exec_dry"))).unwrap();
            assert_eq!(table(Family::Inet, "exec_dry").unwrap(), None);
        });
    }
}
