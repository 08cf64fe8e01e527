//! The host's resolvers, as its resolv.conf lists them; read again when the file changes.

use std::{
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// How often the file is looked at, at most.
const LOOK: Duration = Duration::from_secs(1);
/// Servers used, as in the C library three, and one more for good measure.
const MAX: usize = 4;

/// A resolv.conf and what it said last.
#[derive(Debug)]
pub(crate) struct Resolvers {
    path: PathBuf,
    last: Mutex<Option<Seen>>,
    /// The one that answered last: a dead one at the head of the list must not delay every query.
    good: Mutex<Option<SocketAddr>>,
}

#[derive(Debug, Clone)]
struct Seen {
    looked: Instant,
    stamp: Option<(SystemTime, u64)>,
    servers: Vec<SocketAddr>,
}

impl Resolvers {
    pub(crate) fn new(path: PathBuf) -> Resolvers {
        Resolvers { path, last: Mutex::new(None), good: Mutex::new(None) }
    }

    /// Remembers which server answered.
    pub(crate) fn answered(&self, server: SocketAddr) {
        *self.good.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// The servers, the one that answered last first; without those in `own`, since asking oneself
    /// would go in circles.
    pub(crate) fn servers(&self, own: &[IpAddr]) -> Vec<SocketAddr> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = match last.take() {
            Some(seen) if seen.looked.elapsed() < LOOK => seen,
            other => self.look(other),
        };
        let servers = seen.servers.iter().filter(|server| !own.contains(&server.ip()));
        let mut out: Vec<SocketAddr> = servers.copied().collect();
        *last = Some(seen);
        let good = *self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = out.iter().position(|server| Some(*server) == good) {
            out.rotate_left(at);
        }
        out
    }

    fn look(&self, old: Option<Seen>) -> Seen {
        let stamp = fs::metadata(&self.path).ok();
        let stamp = stamp.and_then(|meta| Some((meta.modified().ok()?, meta.len())));
        let servers = match old {
            Some(old) if old.stamp == stamp => old.servers,
            _ => parse(&fs::read_to_string(&self.path).unwrap_or_default()),
        };
        Seen { looked: Instant::now(), stamp, servers }
    }
}

/// The `nameserver` lines; the host itself when there are none, as the C library does.
pub(crate) fn parse(text: &str) -> Vec<SocketAddr> {
    let words = text.lines().map(str::split_whitespace);
    let servers = words.filter_map(|mut words| match (words.next(), words.next()) {
        (Some("nameserver"), Some(address)) => server(address),
        _ => None,
    });
    let servers: Vec<SocketAddr> = servers.take(MAX).collect();
    if servers.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], 53))] } else { servers }
}

fn server(text: &str) -> Option<SocketAddr> {
    let Some((address, scope)) = text.split_once('%') else {
        return Some(SocketAddr::new(text.parse().ok()?, 53));
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let scope = scope.parse().ok().or_else(|| index(scope))?;
    Some(SocketAddr::V6(SocketAddrV6::new(address, 53, 0, scope)))
}

/// The kernel's index of a link, by way of /sys: this is for the odd link-local resolver only.
fn index(link: &str) -> Option<u32> {
    let plain = link.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let path = PathBuf::from("/sys/class/net").join(link).join("ifindex");
    fs::read_to_string(path).ok().filter(|_| plain)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_found_among_other_lines() {
        let text = "# comment\nsearch lan\nnameserver 127.0.0.53\noptions edns0\n\
                    nameserver\tfd00::1 # local\nnameserver fe80::1%2\nnameserver junk\n";
        let want = ["127.0.0.53:53", "[fd00::1]:53", "[fe80::1%2]:53"];
        assert_eq!(parse(text), want.map(|s| s.parse().unwrap()));
        assert_eq!(parse(""), ["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn the_one_that_answered_comes_first_while_it_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolv.conf");
        fs::write(&path, "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n")
            .unwrap();
        let resolvers = Resolvers::new(path);
        let order = |last: [u8; 3]| last.map(|d| SocketAddr::from(([10, 0, 0, d], 53)));
        assert_eq!(resolvers.servers(&[]), order([1, 2, 3]));
        resolvers.answered(order([2, 0, 0])[0]);
        assert_eq!(resolvers.servers(&[]), order([2, 3, 1]));
        resolvers.answered(order([9, 0, 0])[0]);
        assert_eq!(resolvers.servers(&[]), order([1, 2, 3]));
    }

    #[test]
    fn own_addresses_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolv.conf");
        fs::write(&path, "nameserver 10.1.2.1\nnameserver 9.9.9.9\n").unwrap();
        let own = [IpAddr::from([10, 1, 2, 1])];
        assert_eq!(Resolvers::new(path).servers(&own), ["9.9.9.9:53".parse().unwrap()]);
    }
}
