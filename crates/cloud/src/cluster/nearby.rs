//! What machines tell each other on their network without knowing anybody there: multicast DNS (RFC 6762, 6763). It is
//! used while a member waits for others, and by members that have lost each other; otherwise nothing is sent and nobody
//! listens.
//!
//! Nothing of it is proved: whoever is found still has to know the words, or to have the certificate of a member.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use mdns_sd::{IfKind, Receiver, ServiceDaemon, ServiceEvent, ServiceInfo};

use crate::{Error, Result, World, db::networks};

/// Our kind of service.
const SERVICE: &str = "_microcloud._tcp.local.";
/// The form of what is told; another is for later versions.
const FORM: &str = "1";

/// What is told of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Why it tells.
    pub(super) about: About,
    /// Its name.
    pub(super) name: String,
    /// Where it is, `host:port`.
    pub(super) address: String,
}

/// Why a machine tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// It waits for machines that join.
    Waits,
    /// It seeks the other members of this cluster; the certificate by which they know it.
    Lost {
        /// The cluster.
        cluster: String,
        /// SHA-256 of its own certificate, in hex.
        fingerprint: String,
    },
}

/// Tells of this machine until it is dropped.
pub(super) struct Beacon(ServiceDaemon);

impl Drop for Beacon {
    fn drop(&mut self) {
        // It takes back what was told, and ends its thread; what is left of it ends with the program.
        let _ = self.0.shutdown();
    }
}

/// Hears of others until it is dropped.
pub(super) struct Ear {
    _daemon: Beacon,
    events: Receiver<ServiceEvent>,
}

impl Beacon {
    /// Begins to tell.
    pub(super) fn light(world: &World, told: &Told) -> Result<Beacon> {
        let daemon = daemon(world)?;
        let beacon = Beacon(daemon);
        beacon.0.register(record(told)?).map_err(failed)?;
        Ok(beacon)
    }
}

impl Ear {
    /// Begins to listen, and asks.
    pub(super) fn open(world: &World) -> Result<Ear> {
        let daemon = Beacon(daemon(world)?);
        let events = daemon.0.browse(SERVICE).map_err(failed)?;
        Ok(Ear { _daemon: daemon, events })
    }

    /// The next one that is heard of.
    pub(super) async fn next(&self) -> Option<Told> {
        loop {
            if let ServiceEvent::ServiceResolved(found) = self.events.recv_async().await.ok()? {
                let said = |key: &str| found.get_property_val_str(key).map(str::to_owned);
                if let Some(told) = read(said) {
                    return Some(told);
                }
            }
        }
    }
}

/// Its own thread; it keeps off our own networks: what instances say is not looked for.
fn daemon(world: &World) -> Result<ServiceDaemon> {
    let own = world.store.read(|db| Ok::<_, Error>(networks::all(db)?))?;
    let daemon = ServiceDaemon::new().map_err(failed)?;
    let own = own.into_iter().map(|network| IfKind::Name(network.name));
    let kept_off: Vec<IfKind> = own.chain([IfKind::LoopbackV4, IfKind::LoopbackV6]).collect();
    daemon.disable_interface(kept_off).map_err(failed)?;
    Ok(daemon)
}

fn failed(error: mdns_sd::Error) -> Error {
    Error::Multicast(std::io::Error::other(error))
}

fn record(told: &Told) -> Result<ServiceInfo> {
    let (host, port) = told.address.rsplit_once(':').unwrap_or((&told.address, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // A name is told beside it, and resolved by whoever hears it.
    let ips: Vec<IpAddr> = host.parse().into_iter().collect();
    let mut said =
        BTreeMap::from([("form", FORM), ("name", &told.name), ("address", &told.address)]);
    match &told.about {
        About::Waits => said.insert("about", "waits"),
        About::Lost { cluster, fingerprint } => {
            said.insert("cluster", cluster);
            said.insert("fingerprint", fingerprint);
            said.insert("about", "lost")
        }
    };
    let said: Vec<(&str, &str)> = said.into_iter().collect();
    let port = port.parse().unwrap_or(crate::server::doors::HTTPS_PORT);
    // Not the host's own name, of which another program of the machine may tell.
    let host = format!("microcloud-{}.local.", told.name);
    let info = ServiceInfo::new(SERVICE, &told.name, &host, &ips[..], port, &said[..]);
    info.map_err(failed)
}

fn read(said: impl Fn(&str) -> Option<String>) -> Option<Told> {
    if said("form")? != FORM {
        return None;
    }
    let about = match said("about")?.as_str() {
        "waits" => About::Waits,
        "lost" => About::Lost { cluster: said("cluster")?, fingerprint: said("fingerprint")? },
        _ => return None,
    };
    let plain = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
    let (name, address) = (said("name").filter(plain)?, said("address").filter(plain)?);
    Some(Told { about, name, address })
}

/// How long is listened when nobody is heard of.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long is listened on when somebody was: for a second one.
const MORE: Duration = Duration::from_millis(500);

/// The members that wait for machines that join, as far as they are heard of within a few seconds.
pub async fn nearby(world: &World) -> Result<Vec<wire::ClusterNearby>> {
    let ear = Ear::open(world)?;
    let mut found = BTreeMap::new();
    let mut until = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Some(told)) = tokio::time::timeout_at(until, ear.next()).await {
        if told.about != About::Waits {
            continue;
        }
        if found.is_empty() {
            until = tokio::time::Instant::now() + MORE;
        }
        found.insert(told.address, told.name);
    }
    let one = |(address, server_name)| wire::ClusterNearby { server_name, address };
    Ok(found.into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read() {
        for (about, address) in [
            (About::Waits, "10.0.0.1:8443"),
            (About::Lost { cluster: "c".into(), fingerprint: "f".repeat(64) }, "[fd00::1]:9"),
            (About::Waits, "pi.lan:8443"),
        ] {
            let told = Told { about, name: String::from("pi"), address: address.to_owned() };
            let record = record(&told).unwrap();
            let again = read(|key| record.get_property_val_str(key).map(str::to_owned));
            assert_eq!(again.as_ref(), Some(&told));
        }
        let said = |key: &str, form: &str, name: &str| match key {
            "form" => Some(form.to_owned()),
            "about" => Some(String::from("waits")),
            "name" => Some(name.to_owned()),
            _ => Some(String::from("10.0.0.1:1")),
        };
        assert!(read(|key| said(key, "1", "pi")).is_some());
        assert!(read(|key| said(key, "2", "pi")).is_none());
        assert!(read(|key| said(key, "1", "\u{1b}[2J")).is_none());
        assert!(read(|_| None).is_none());
    }
}
