//! Where a proxy listens, and what it connects to.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::value;

/// What goes over a socket with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// As an address begins with it.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// An end of a proxy: `tcp:0.0.0.0:80`, `udp:[::1]:5000-5010,6000`, `unix:/run/x.sock`, `unix:@name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyAddress {
    /// Ports of an address.
    Ip {
        /// What goes over it.
        protocol: Protocol,
        /// The address; all of the machine if it is not specified (`0.0.0.0`, `::`).
        address: IpAddr,
        /// Ports, at least one, in the order in which they were given.
        ports: Vec<u16>,
    },
    /// A socket at a path.
    Path(String),
    /// A socket that is in no folder.
    Abstract(String),
}

/// The longest path or name of a socket: 108 bytes with a zero before or behind (unix(7)).
const LONGEST: usize = 107;

impl ProxyAddress {
    /// How many ports it has; a socket counts as one.
    pub fn count(&self) -> usize {
        match self {
            ProxyAddress::Ip { ports, .. } => ports.len(),
            _ => 1,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let protocol = match kind {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "unix" => return Self::read_socket(rest),
            _ => return None,
        };
        let (address, ports) = rest.rsplit_once(':')?;
        let address = match address.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.into(),
            None => address.parse::<std::net::Ipv4Addr>().ok()?.into(),
        };
        let mut all = Vec::new();
        for part in ports.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (port(first)?, port(last)?);
            if first > last {
                return None;
            }
            all.extend(first..=last);
        }
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        (once.len() == all.len()).then_some(Self::Ip { protocol, address, ports: all })
    }

    fn read_socket(text: &str) -> Option<Self> {
        let fits = text.len() <= LONGEST && !text.contains('\0');
        match text.strip_prefix('@') {
            Some(name) => (fits && !name.is_empty()).then(|| Self::Abstract(name.to_owned())),
            None => (fits && text.starts_with('/')).then(|| Self::Path(text.to_owned())),
        }
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

value!(
    ProxyAddress,
    "proxy-address",
    "tcp:ADDRESS:PORTS or udp:ADDRESS:PORTS with an IP address (IPv6 in brackets) and ports such as 80, 80-89 or 80,443, each once; \
     or unix:/PATH or unix:@NAME",
    ProxyAddress::read
);

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyAddress::Path(path) => write!(f, "unix:{path}"),
            ProxyAddress::Abstract(name) => write!(f, "unix:@{name}"),
            ProxyAddress::Ip { protocol, address, ports } => {
                match address {
                    IpAddr::V4(address) => write!(f, "{}:{address}:", protocol.as_str())?,
                    IpAddr::V6(address) => write!(f, "{}:[{address}]:", protocol.as_str())?,
                }
                let mut rest = ports.as_slice();
                while let Some(first) = rest.first() {
                    let run = (1_usize..)
                        .take_while(|at| {
                            rest.get(*at)
                                .is_some_and(|it| usize::from(*it) == usize::from(*first) + at)
                        })
                        .count();
                    match run {
                        0 => write!(f, "{first}")?,
                        _ => write!(f, "{first}-{}", rest[run])?,
                    }
                    rest = &rest[run + 1..];
                    if !rest.is_empty() {
                        f.write_str(",")?;
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn ends_of_proxies() {
        for (text, shown) in [
            ("tcp:0.0.0.0:80", "tcp:0.0.0.0:80"),
            ("udp:[::1]:5000-5002,7", "udp:[::1]:5000-5002,7"),
            ("tcp:127.0.0.1:80,81,83", "tcp:127.0.0.1:80-81,83"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:@x", "unix:@x"),
        ] {
            assert_eq!(ProxyAddress::parse(text).unwrap().to_string(), shown);
        }
        let all = ProxyAddress::parse("tcp:127.0.0.1:1-65535").unwrap();
        assert_eq!(all.count(), 65_535);
        for bad in [
            "",
            "tcp",
            "tcp:80",
            "tcp:127.0.0.1",
            "tcp:127.0.0.1:",
            "tcp:127.0.0.1:0",
            "tcp:::1:80",
            "tcp:127.0.0.1:9-8",
            "tcp:127.0.0.1:80,80",
            "tcp:127.0.0.1:+80",
            "tcp:host:80",
            "sctp:127.0.0.1:1",
            "unix:run/x",
            "unix:",
            "unix:@",
            "tcp:127.0.0.1:65536",
        ] {
            assert!(ProxyAddress::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ProxyAddress::parse(&format!("unix:/{}", "x".repeat(LONGEST))).is_err());
    }
}
