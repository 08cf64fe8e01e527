//! Where clients reach a door of this server, as answers tell them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use if_addrs::IfAddr;
use options::ListenAddress;

/// `host:port` of a door that listens at `address`; the best first, and more where it listens everywhere.
pub(crate) fn reached(address: &ListenAddress, usual: u16) -> Vec<String> {
    reached_by(address, usual, own)
}

/// `own` finds an address of this machine for one that means all of them.
fn reached_by(
    address: &ListenAddress,
    usual: u16,
    own: impl Fn(bool) -> Option<IpAddr>,
) -> Vec<String> {
    let all = |ipv6: &[bool]| {
        let mut found: Vec<_> = ipv6.iter().filter_map(|ipv6| own(*ipv6)).collect();
        if found.is_empty() {
            found.push(if ipv6[0] {
                Ipv6Addr::LOCALHOST.into()
            } else {
                Ipv4Addr::LOCALHOST.into()
            });
        }
        found.into_iter().map(literal).collect()
    };
    let hosts: Vec<String> =
        match address.host.as_deref().map(|host| (host, host.parse::<IpAddr>())) {
            None => all(&[false, true]),
            Some((_, Ok(ip))) if ip.is_unspecified() => all(&[ip.is_ipv6()]),
            Some((_, Ok(ip))) => vec![literal(ip)],
            Some((name, Err(_))) => vec![name.to_owned()],
        };
    let port = address.port.unwrap_or(usual);
    hosts.into_iter().map(|host| format!("{host}:{port}")).collect()
}

fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The address that this machine would talk to the rest of the world from; where it has no way there, the first one of
/// it.
fn own(ipv6: bool) -> Option<IpAddr> {
    own_towards(WORLD[usize::from(ipv6)])
        .or_else(|| own_all(&|_| false).into_iter().find(|ip| ip.is_ipv6() == ipv6))
}

/// The address that this machine would talk from to `host:port`. Nothing is sent: the kernel only looks at its routes.
pub(crate) fn own_towards(target: &str) -> Option<IpAddr> {
    let target = target.to_socket_addrs().ok()?.next()?;
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let found = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    Some(found.ok()?.ip())
}

/// The addresses of this machine that others may reach, the best first: neither of its loopback device, nor good on one
/// link alone, nor of links that are `not` meant.
pub(crate) fn own_all(not: &dyn Fn(&str) -> bool) -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    let all = all.filter(|link| !link.is_loopback() && !link.is_link_local() && !not(&link.name));
    let mut all: Vec<IpAddr> = all.map(|link| link.ip()).collect();
    let best = [own_towards(WORLD[0]), own_towards(WORLD[1])];
    all.sort_by_key(|ip| (!best.contains(&Some(*ip)), ip.is_ipv6()));
    all
}

/// Anywhere, by IPv4 and IPv6: addresses that are for documents (RFC 5737, RFC 3849).
const WORLD: [&str; 2] = ["192.0.2.1:9", "[2001:db8::1]:9"];

/// An address of the options as it is now: where the machine does not have it, the one that it has in the same network,
/// as a DHCP server may give it another. One that cannot be found stays.
pub(crate) fn present(address: &ListenAddress) -> ListenAddress {
    let ip = address.host.as_deref().and_then(|host| host.parse::<IpAddr>().ok());
    let Some(ip) = ip.filter(|ip| !(ip.is_unspecified() || ip.is_loopback())) else {
        return address.clone();
    };
    let links = if_addrs::get_if_addrs().unwrap_or_default();
    let links: Vec<(IpAddr, u8)> =
        links.into_iter().map(|link| (link.ip(), prefix(&link.addr))).collect();
    match in_place_of(ip, &links) {
        Some(new) => ListenAddress { host: Some(new.to_string()), port: address.port },
        None => address.clone(),
    }
}

fn prefix(address: &IfAddr) -> u8 {
    match address {
        IfAddr::V4(address) => address.prefixlen,
        IfAddr::V6(address) => address.prefixlen,
    }
}

/// The address of a link in whose network `ip` is, unless that is an address of a link itself.
fn in_place_of(ip: IpAddr, links: &[(IpAddr, u8)]) -> Option<IpAddr> {
    if links.iter().any(|(own, _)| *own == ip) {
        return None;
    }
    let same = |(own, prefix): &&(IpAddr, u8)| match (own, ip) {
        (IpAddr::V4(own), IpAddr::V4(ip)) => {
            begin_alike(own.to_bits().into(), ip.to_bits().into(), *prefix, 32)
        }
        (IpAddr::V6(own), IpAddr::V6(ip)) => begin_alike(own.to_bits(), ip.to_bits(), *prefix, 128),
        _ => false,
    };
    links.iter().find(same).map(|(own, _)| *own)
}

/// Whether the first `prefix` of so many bits are the same; none are those of no network.
fn begin_alike(one: u128, other: u128, prefix: u8, bits: u32) -> bool {
    let rest = bits.saturating_sub(u32::from(prefix));
    prefix > 0 && rest > 0 && (one ^ other) >> rest == 0
}

#[cfg(test)]
mod tests {
    use options::Value;

    use super::*;

    #[test]
    fn an_address_that_is_gone_is_the_one_of_its_network() {
        let links = [("10.0.0.7", 24), ("10.1.0.1", 16), ("fd00::7", 64), ("10.9.9.9", 32)];
        let links = links.map(|(ip, prefix)| (ip.parse().unwrap(), prefix));
        for (gone, now) in [
            ("10.0.0.200", Some("10.0.0.7")),
            ("10.1.77.200", Some("10.1.0.1")),
            ("fd00::1:2", Some("fd00::7")),
            ("10.0.0.7", None),
            ("10.0.1.7", None),
            ("192.168.0.1", None),
            ("fd01::1", None),
        ] {
            let found = in_place_of(gone.parse().unwrap(), &links);
            assert_eq!(found, now.map(|ip| ip.parse().unwrap()), "{gone}");
        }
    }

    #[test]
    fn an_address_for_all_is_shown_as_those_of_the_machine() {
        let own = |ipv6| if ipv6 { "fd00::1" } else { "10.0.0.7" }.parse().ok();
        for (given, shown) in [
            (":8555", "10.0.0.7:8555 [fd00::1]:8555"),
            ("0.0.0.0", "10.0.0.7:8443"),
            ("[::]:9000", "[fd00::1]:9000"),
            ("127.0.0.1:81", "127.0.0.1:81"),
            ("[::1]", "[::1]:8443"),
            ("s3.lan:443", "s3.lan:443"),
        ] {
            let address = ListenAddress::parse(given).unwrap();
            assert_eq!(reached_by(&address, 8443, own).join(" "), shown);
        }
        let everywhere = ListenAddress::parse(":1").unwrap();
        assert_eq!(reached_by(&everywhere, 1, |_| None), ["127.0.0.1:1"]);
    }
}
