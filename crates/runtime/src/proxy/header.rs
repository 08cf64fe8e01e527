//! The line that tells a target who connected: HAProxy's PROXY protocol, version 1
//! (haproxy.org, `doc/proxy-protocol.txt`, 2.1).

use std::net::{IpAddr, SocketAddr};

/// The line for a connection from one to the other; `None` where there are no addresses, as at a socket.
pub(super) fn line(addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let Some((from, to)) = addresses else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let (source, target) = (from.ip().to_canonical(), to.ip().to_canonical());
    let family = match (source, target) {
        (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
        _ => "TCP6",
    };
    format!("PROXY {family} {source} {target} {} {}\r\n", from.port(), to.port()).into_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_connected() {
        let line = |from: &str, to: &str| {
            let addresses = Some((from.parse().unwrap(), to.parse().unwrap()));
            String::from_utf8(super::line(addresses)).unwrap()
        };
        assert_eq!(line("10.0.0.1:5", "10.0.0.2:80"), "PROXY TCP4 10.0.0.1 10.0.0.2 5 80\r\n");
        // A socket for both families shows IPv4 addresses in IPv6's form.
        let mapped = line("[::ffff:10.0.0.1]:5", "[::ffff:10.0.0.2]:80");
        assert_eq!(mapped, "PROXY TCP4 10.0.0.1 10.0.0.2 5 80\r\n");
        assert_eq!(line("[fd00::1]:5", "[::1]:80"), "PROXY TCP6 fd00::1 ::1 5 80\r\n");
        assert_eq!(super::line(None), b"PROXY UNKNOWN\r\n");
    }
}
