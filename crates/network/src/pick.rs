//! Free subnets for `auto`: a random choice, verified against every address and route.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{Error, Facts, Result, facts::meet};

/// Random tries before all private /24s are looked at in order.
const TRIES: usize = 200;

/// A free `10.x.y.1/24`, else one of the other private ranges. `taken` are subnets that are spoken
/// for but not on this machine yet. Works without a default route.
///
/// # Errors
/// Every private subnet overlaps something.
pub fn pick_ipv4(
    facts: &Facts,
    taken: &[IpNet],
    mut random: impl FnMut() -> u32,
) -> Result<Ipv4Net> {
    let free = |net: &Ipv4Net| !busy(facts, taken, IpNet::V4(*net));
    let chance = std::iter::from_fn(|| Some(random())).take(TRIES).map(|bits| {
        let [_, _, a, b] = bits.to_be_bytes();
        // The ends of the range are where others look first.
        slash24([10, a.clamp(1, 254), b, 1])
    });
    let ten = (1..=254).flat_map(|a| (0..=255).map(move |b| slash24([10, a, b, 1])));
    let twelve = (16..=31).flat_map(|a| (0..=255).map(move |b| slash24([172, a, b, 1])));
    let sixteen = (0..=255).map(|b| slash24([192, 168, b, 1]));
    chance
        .chain(ten)
        .chain(twelve)
        .chain(sixteen)
        .find(free)
        .ok_or(Error::NoFreeSubnet { family: "IPv4" })
}

/// A free unique local `fd42:…::1/64` (RFC 4193, with a fixed start so that it is recognised).
///
/// # Errors
/// The random source is broken: it only gives subnets in use.
pub fn pick_ipv6(
    facts: &Facts,
    taken: &[IpNet],
    mut random: impl FnMut() -> u32,
) -> Result<Ipv6Net> {
    let nets = std::iter::from_fn(|| {
        let [a, b] = [random(), random()].map(u32::to_be_bytes);
        let part = |x: [u8; 4], at: usize| u16::from_be_bytes([x[at], x[at + 1]]);
        let address = Ipv6Addr::new(0xfd42, part(a, 0), part(a, 2), part(b, 2), 0, 0, 0, 1);
        Some(Ipv6Net::new_assert(address, 64))
    });
    let free = |net: &Ipv6Net| !busy(facts, taken, IpNet::V6(*net));
    nets.take(TRIES).find(free).ok_or(Error::NoFreeSubnet { family: "IPv6" })
}

fn busy(facts: &Facts, taken: &[IpNet], net: IpNet) -> bool {
    facts.overlaps(net, None) || taken.iter().any(|other| meet(net, *other))
}

fn slash24(octets: [u8; 4]) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from(octets), 24)
}

/// Bits from the kernel, by way of the standard library's hasher keys.
pub(crate) fn random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::time::Instant::now()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{LinkFact, RouteFact};

    fn facts(addresses: &[&str], routes: &[&str]) -> Facts {
        let addresses = addresses.iter().map(|net| net.parse().unwrap()).collect();
        let route =
            |net: &&str| RouteFact { net: net.parse().unwrap(), link: Some(1), fixed: true };
        Facts {
            links: vec![LinkFact {
                index: 1,
                name: "eth0".into(),
                addresses,
                ..LinkFact::default()
            }],
            routes: routes.iter().map(route).collect(),
            ..Facts::default()
        }
    }

    #[test]
    fn a_machine_without_a_default_route_gets_a_subnet_too() {
        let net = pick_ipv4(&Facts::default(), &[], || 0x0000_0507).unwrap();
        assert_eq!(net.to_string(), "10.5.7.1/24");
    }

    #[test]
    fn what_overlaps_is_not_picked() {
        let facts = facts(&["10.5.7.200/16"], &["0.0.0.0/0", "10.128.0.0/9"]);
        let mut bits = [0x0000_0507, 0x0000_c801, 0x0000_0605].into_iter();
        assert_eq!(
            pick_ipv4(&facts, &[], || bits.next().unwrap()).unwrap().to_string(),
            "10.6.5.1/24"
        );
    }

    #[test]
    fn a_network_that_routes_all_of_ten_leaves_the_other_ranges() {
        let facts = facts(&[], &["10.0.0.0/8"]);
        assert_eq!(pick_ipv4(&facts, &[], || 7).unwrap().to_string(), "172.16.0.1/24");
        let taken = ["172.16.0.0/12".parse().unwrap(), "192.168.0.0/17".parse().unwrap()];
        assert_eq!(pick_ipv4(&facts, &taken, || 7).unwrap().to_string(), "192.168.128.1/24");
    }

    #[test]
    fn nothing_free_is_an_error() {
        let facts = facts(&[], &["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]);
        assert!(pick_ipv4(&facts, &[], || 7).is_err());
        assert!(pick_ipv6(&facts, &[], || 7).is_err());
    }

    #[test]
    fn ipv6_is_unique_local() {
        let net = pick_ipv6(&Facts::default(), &[], || 0x1234_5678).unwrap();
        assert_eq!(net.to_string(), "fd42:1234:5678:5678::1/64");
    }
}
