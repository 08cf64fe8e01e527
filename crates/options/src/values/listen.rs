//! Where a server listens.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::value;
use crate::{Domain, Value};

/// An address to listen on: `:8443`, `10.0.0.1`, `[::1]:8443`, `host.example:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// An IP address or a name; None means all addresses.
    pub host: Option<String>,
    /// The port; None means the usual one of the service.
    pub port: Option<u16>,
}

impl ListenAddress {
    fn read(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Some(Self { host: Some(address.to_string()), port: None });
        }
        let (host, port) = if let Some(inner) = text.strip_prefix('[') {
            let (host, rest) = inner.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        } else {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        let port = match port {
            Some(port) => Some(u16::parse(port).ok().filter(|port| *port > 0)?),
            None => None,
        };
        let named =
            host.is_empty() || host.parse::<IpAddr>().is_ok() || Domain::parse(host).is_ok();
        let host = (!host.is_empty()).then(|| host.to_owned());
        (named && (host.is_some() || port.is_some())).then_some(Self { host, port })
    }
}

value!(
    ListenAddress,
    "listen-address",
    "an address to listen on, such as :8443, 10.0.0.1 or [::1]:8443",
    ListenAddress::read
);

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]")?,
            Some(host) => f.write_str(host)?,
            None => {}
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
