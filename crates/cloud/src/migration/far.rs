//! The end on another server, to which this one connects.

use std::collections::BTreeMap;

use client::{Client, Network, Receiver, Sender};
use tasks::{Message, Socket};
use tls::Pin;
use uuid::Uuid;

use super::link::{Link, MEMORY, What};
use crate::{Error, Result};

/// An operation of another server, and the secrets of its websockets.
#[derive(Clone, Debug)]
pub(crate) struct Far {
    network: Network,
    operation: Uuid,
    control: String,
    data: String,
    /// Where a machine that runs is to come or go.
    memory: Option<String>,
}

impl Far {
    /// What a client says of it. Only the server with that certificate is spoken to, and nothing but a websocket of
    /// an operation is asked of it; it is not told who asks.
    pub(crate) fn new(
        url: &str,
        certificate: &str,
        secrets: &BTreeMap<String, String>,
    ) -> Result<Far> {
        let (host, port, operation) = parts(url).ok_or_else(|| {
            let why = format!("\"{url}\" is not like https://HOST:PORT/1.0/operations/UUID");
            Error::invalid("operation", why)
        })?;
        let certificate = tls::from_text(certificate).map_err(|why| {
            Error::invalid("certificate", format!("that of the other server is needed: {why}"))
        })?;
        let secret = |name: &str| {
            let missing = || Error::invalid("secrets", format!("\"{name}\" is missing"));
            let found = secrets.get(name).filter(|secret| is_secret(secret));
            found.cloned().ok_or_else(missing)
        };
        let pin = Pin::Fingerprint(tls::fingerprint(&certificate));
        let network = Network { host, port, pin, identity: None };
        let memory = secrets.contains_key(MEMORY).then(|| secret(MEMORY)).transpose()?;
        Ok(Far { network, operation, control: secret("control")?, data: secret("fs")?, memory })
    }

    /// An operation of another member of the cluster.
    pub(crate) fn of_member(network: Network, operation: &wire::Operation) -> Result<Far> {
        let secret =
            |name: &str| operation.metadata.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let id = operation.id.parse().ok();
        match (id, secret("control"), secret("fs")) {
            (Some(operation), Some(control), Some(data)) => {
                Ok(Far { network, operation, control, data, memory: secret(MEMORY) })
            }
            _ => Err(Error::BrokenOff),
        }
    }

    /// Connects the websockets.
    pub(super) async fn connect(&self, what: What) -> Result<Link> {
        let client = Client::remote(self.network.clone());
        let path = |secret| format!("/1.0/operations/{}/websocket?secret={secret}", self.operation);
        let control = client.websocket(&path(&self.control)).await?;
        let data = client.websocket(&path(&self.data)).await?;
        let memory = match (&self.memory, what) {
            (Some(memory), What::Live) => Some(client.websocket(&path(memory)).await?),
            (None, What::Live) => {
                return Err(Error::invalid("secrets", format!("\"{MEMORY}\" is missing")));
            }
            _ => None,
        };
        Ok(Link::new(joined(control), joined(data), memory.map(joined)))
    }
}

/// Secrets are put into an address: they are letters and digits.
fn is_secret(secret: &str) -> bool {
    !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Host, port and operation of an address.
fn parts(url: &str) -> Option<(String, u16, Uuid)> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let path = path.split('?').next().unwrap_or_default();
    let operation = path.strip_prefix("1.0/operations/")?.parse().ok()?;
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (host, 443),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port, operation))
}

/// A websocket as the work sees those that came in.
fn joined(socket: client::Socket) -> Socket {
    let (here, there) = Socket::pair();
    let (receiver, sender) = socket.split();
    let Socket { incoming, outgoing } = there;
    tokio::spawn(async move {
        tokio::select! {
            () = hear(receiver, &outgoing) => {}
            () = outgoing.closed() => {}
        }
    });
    tokio::spawn(tell(incoming, sender));
    here
}

async fn hear(mut receiver: Receiver, to_work: &tokio::sync::mpsc::Sender<Message>) {
    while let Ok(Some(bytes)) = receiver.next().await {
        if to_work.send(Message::Binary(bytes)).await.is_err() {
            return;
        }
    }
}

async fn tell(mut from_work: tokio::sync::mpsc::Receiver<Message>, mut sender: Sender) {
    while let Some(message) = from_work.recv().await {
        let sent = match message {
            Message::Binary(bytes) => sender.send(bytes).await,
            Message::Text(text) => sender.send(text).await,
            Message::Close => sender.finish().await,
        };
        if sent.is_err() {
            return;
        }
    }
    // Whoever is gone needs no farewell.
    let _ = sender.close().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_an_operation_and_nothing_else() {
        let id = "4d3ac6e5-6d1c-4b39-8d0b-6d8dcb5b1a2f";
        let of = |host: &str| parts(&format!("https://{host}/1.0/operations/{id}"));
        let found = |host: &str, port| Some((host.to_owned(), port, id.parse().unwrap()));
        assert_eq!(of("10.0.0.1:8443"), found("10.0.0.1", 8443));
        assert_eq!(of("[fd00::1]:8443"), found("fd00::1", 8443));
        assert_eq!(of("[fd00::1]"), found("fd00::1", 443));
        assert_eq!(of("pi"), found("pi", 443));
        assert_eq!(parts(&format!("https://pi/1.0/operations/{id}?project=x")), found("pi", 443));
        for bad in ["https://pi/1.0/instances/web", "http://pi/1.0/operations/x", "", "https://"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
        assert_eq!(of(":8443"), None);
        assert!(is_secret("ab12") && !is_secret("") && !is_secret("a&b") && !is_secret("a\r\n"));
    }
}
