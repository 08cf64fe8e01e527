//! Where S3 clients reach the buckets, as answers tell them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use options::{ListenAddress, Options, ServerOptions};
use store::Read;

use crate::{Result, db::server};

/// The address that a bucket's name is put behind; `None` while nothing is served.
pub(super) fn base(db: &Read<'_>) -> Result<Option<String>> {
    let options = ServerOptions::parse(&server::get(db)?)?;
    Ok(options.storage_buckets_address.map(|address| base_of(&address, own)))
}

/// `own` finds an address of this machine for one that means all of them.
fn base_of(address: &ListenAddress, own: impl Fn(bool) -> IpAddr) -> String {
    let host = match address.host.as_deref().map(|host| (host, host.parse::<IpAddr>())) {
        None => literal(own(false)),
        Some((_, Ok(ip))) if ip.is_unspecified() => literal(own(ip.is_ipv6())),
        Some((_, Ok(ip))) => literal(ip),
        Some((name, Err(_))) => name.to_owned(),
    };
    format!("https://{host}:{}", address.port.unwrap_or(super::PORT))
}

fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The address that this machine would talk to the rest of the world from. Nothing is sent: the
/// kernel only looks at its routes. The targets are for documents (RFC 5737, RFC 3849).
fn own(ipv6: bool) -> IpAddr {
    let loopback = match ipv6 {
        true => IpAddr::from(Ipv6Addr::LOCALHOST),
        false => IpAddr::from(Ipv4Addr::LOCALHOST),
    };
    let (any, target) = match ipv6 {
        true => ("[::]:0", "[2001:db8::1]:9"),
        false => ("0.0.0.0:0", "192.0.2.1:9"),
    };
    let found = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    found.map_or(loopback, |address| address.ip())
}

#[cfg(test)]
mod tests {
    use options::Value;

    use super::*;

    #[test]
    fn an_address_for_all_is_shown_as_one_of_the_machine() {
        let own = |ipv6| if ipv6 { "fd00::1" } else { "10.0.0.7" }.parse().unwrap();
        for (given, shown) in [
            (":8555", "https://10.0.0.7:8555"),
            ("0.0.0.0", "https://10.0.0.7:8555"),
            ("[::]:9000", "https://[fd00::1]:9000"),
            ("127.0.0.1:81", "https://127.0.0.1:81"),
            ("[::1]", "https://[::1]:8555"),
            ("s3.lan:443", "https://s3.lan:443"),
        ] {
            assert_eq!(base_of(&ListenAddress::parse(given).unwrap(), own), shown);
        }
    }
}
