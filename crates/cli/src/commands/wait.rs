//! `wait`: until an instance is as one wants it, for scripts.

use std::{str::FromStr, time::Duration};

use tokio::time::{sleep, timeout};
use wire::{
    InstanceState, InstanceStateNetworkAddress, StatusCode, endpoints::instances::InstanceStateGet,
};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
};

/// How often is looked: a person does not notice it, and a server neither.
const LOOK: Duration = Duration::from_millis(200);

/// Waits until an instance is as one wants it.
#[derive(Debug, clap::Args)]
pub(crate) struct Wait {
    /// Instance
    instance: String,
    /// What for: ip, ipv4, ipv6 (an address that others reach), agent (programs can be run in it), or
    /// status=running and the like
    #[arg(default_value = "ip")]
    condition: Condition,
    /// Seconds to wait; 0 is for ever
    #[arg(long, short, default_value_t = 0)]
    timeout: u64,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    /// An address, of this family if one is named.
    Address(Option<&'static str>),
    /// Programs can be run in it.
    Agent,
    /// Its status, in small letters.
    Status(String),
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "ip" => Condition::Address(None),
            "ipv4" => Condition::Address(Some("inet")),
            "ipv6" => Condition::Address(Some("inet6")),
            "agent" => Condition::Agent,
            _ => match word.strip_prefix("status=").map(str::to_lowercase) {
                Some(status) if STATUSES.contains(&status.as_str()) => Condition::Status(status),
                Some(status) => {
                    return Err(format!(
                        "there is no status {status:?}, but {}",
                        STATUSES.join(", ")
                    ));
                }
                None => return Err("ip, ipv4, ipv6, agent or status=... are known".to_owned()),
            },
        })
    }
}

const STATUSES: [&str; 5] = ["running", "stopped", "frozen", "ready", "error"];

impl Condition {
    fn holds(&self, state: &InstanceState) -> bool {
        match self {
            Condition::Address(family) => {
                let cards = state.network.iter().flat_map(|network| network.values());
                let all = cards.flat_map(|card| &card.addresses);
                let fits = |one: &&InstanceStateNetworkAddress| {
                    one.scope == "global" && family.is_none_or(|family| one.family == family)
                };
                all.filter(fits).count() > 0
            }
            // A virtual machine's are not known without it; a container has the server itself.
            Condition::Agent => state.processes > 0,
            Condition::Status(status) => match status.as_str() {
                "running" => [StatusCode::RUNNING, StatusCode::READY].contains(&state.status_code),
                status => state.status.eq_ignore_ascii_case(status),
            },
        }
    }
}

impl Wait {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let held = async {
            loop {
                let name = [self.instance.as_str()];
                let state = cx.client.get::<InstanceStateGet>(&name, &cx.query()).await?;
                if self.condition.holds(&state) {
                    return Ok(OK);
                }
                sleep(LOOK).await;
            }
        };
        match self.timeout {
            0 => held.await,
            seconds => {
                let held = timeout(Duration::from_secs(seconds), held).await;
                held.unwrap_or(Err(Error::NotYet { name: self.instance, seconds }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(word: &str, state: &serde_json::Value) -> bool {
        let state = serde_json::from_value(state.clone()).unwrap();
        word.parse::<Condition>().unwrap().holds(&state)
    }

    #[test]
    fn what_is_waited_for_is_read_from_the_state() {
        let address = |scope, family| json!({ "scope": scope, "family": family, "address": "x" });
        let mut state = json!({
            "status": "Running", "status_code": 103, "processes": -1,
            "network": { "eth0": { "addresses": [address("link", "inet6"), address("global", "inet")] } },
        });
        assert_eq!(
            ["ip", "ipv4", "ipv6", "agent"].map(|word| holds(word, &state)),
            [true, true, false, false]
        );
        assert!(holds("status=RUNNING", &state) && !holds("status=stopped", &state));
        state["processes"] = json!(3);
        state["status"] = json!("Ready");
        state["status_code"] = json!(113);
        assert!(
            holds("agent", &state)
                && holds("status=ready", &state)
                && holds("status=running", &state)
        );
        state["network"] = json!(null);
        assert!(!holds("ip", &state));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for word in ["", "up", "status=", "status=happy"] {
            assert!(word.parse::<Condition>().is_err(), "{word}");
        }
    }
}
