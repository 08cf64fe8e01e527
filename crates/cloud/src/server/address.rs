//! Where clients reach a door of this server, as answers tell them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

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

/// The address that this machine would talk to the rest of the world from. Nothing is sent: the
/// kernel only looks at its routes. The targets are for documents (RFC 5737, RFC 3849).
fn own(ipv6: bool) -> Option<IpAddr> {
    let (any, target) = match ipv6 {
        true => ("[::]:0", "[2001:db8::1]:9"),
        false => ("0.0.0.0:0", "192.0.2.1:9"),
    };
    let found = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    Some(found.ok()?.ip())
}

#[cfg(test)]
mod tests {
    use options::Value;

    use super::*;

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
