//! Ranges of addresses, and the walk over them that every hardware address does in its own order.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<A> {
    /// First address.
    pub first: A,
    /// Last address.
    pub last: A,
}

/// How many candidates are looked at before a pool counts as full.
const WALK: u128 = 4096;

/// Addresses as numbers, so that both families share one walk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    spans: Vec<(u128, u128)>,
}

impl Pool {
    /// The ranges inside the subnet, without its network and broadcast address; the whole subnet
    /// when there are no ranges.
    pub(crate) fn v4(net: Ipv4Net, ranges: &[Range<Ipv4Addr>]) -> Pool {
        let edge = u128::from(net.prefix_len() < 31);
        let first = u128::from(net.network().to_bits()) + edge;
        let last = u128::from(net.broadcast().to_bits()) - edge;
        let spans = ranges.iter().map(|r| (u128::from(r.first.to_bits()), r.last.to_bits().into()));
        Pool::within(first, last, spans.collect())
    }

    /// The ranges inside the subnet, without its first address (the routers' anycast address).
    pub(crate) fn v6(net: Ipv6Net, ranges: &[Range<Ipv6Addr>]) -> Pool {
        let first = net.network().to_bits() + u128::from(net.prefix_len() < 127);
        let spans = ranges.iter().map(|r| (r.first.to_bits(), r.last.to_bits())).collect();
        Pool::within(first, net.broadcast().to_bits(), spans)
    }

    fn within(first: u128, last: u128, spans: Vec<(u128, u128)>) -> Pool {
        let spans = if spans.is_empty() { vec![(first, last)] } else { spans };
        let cut = spans.into_iter().map(|(a, b)| (a.max(first), b.min(last)));
        Pool { spans: cut.filter(|(a, b)| a <= b).collect() }
    }

    pub(crate) fn contains(&self, address: u128) -> bool {
        self.spans.iter().any(|(a, b)| (*a..=*b).contains(&address))
    }

    /// How many addresses there are, at most `u128::MAX`.
    pub(crate) fn len(&self) -> u128 {
        self.spans.iter().fold(0, |sum: u128, (a, b)| sum.saturating_add((b - a).saturating_add(1)))
    }

    /// Addresses in the order in which the owner of `seed` tries them: always the same.
    pub(crate) fn walk(&self, seed: u64) -> impl Iterator<Item = u128> {
        let len = self.len();
        let start = if len == 0 { 0 } else { u128::from(seed) % len };
        (0..len.min(WALK)).filter_map(move |step| {
            let at = (start + step) % len;
            self.nth(at)
        })
    }

    fn nth(&self, mut at: u128) -> Option<u128> {
        for (a, b) in &self.spans {
            let here = (b - a).saturating_add(1);
            if at < here {
                return Some(a + at);
            }
            at -= here;
        }
        None
    }
}

/// FNV-1a with a final mix: stable across releases, as the choice of addresses must be.
pub(crate) fn seed(bytes: &[u8]) -> u64 {
    let mut hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: &str, last: &str) -> Range<Ipv4Addr> {
        Range { first: first.parse().unwrap(), last: last.parse().unwrap() }
    }

    #[test]
    fn whole_subnet_without_its_edges() {
        let pool = Pool::v4("10.1.2.1/30".parse().unwrap(), &[]);
        assert_eq!(pool.len(), 2);
        assert!(!pool.contains(u128::from(Ipv4Addr::new(10, 1, 2, 3).to_bits())));
    }

    #[test]
    fn ranges_are_cut_to_the_subnet_and_walked_once_each() {
        let ranges = [range("10.1.1.250", "10.1.2.2"), range("10.1.2.9", "10.1.2.10")];
        let pool = Pool::v4("10.1.2.1/24".parse().unwrap(), &ranges);
        let mut seen: Vec<u128> = pool.walk(seed(b"x")).collect();
        assert_eq!(seen, pool.walk(seed(b"x")).collect::<Vec<_>>());
        seen.sort_unstable();
        let want = [1, 2, 9, 10].map(|d| u128::from(Ipv4Addr::new(10, 1, 2, d).to_bits()));
        assert_eq!(seen, want);
    }

    #[test]
    fn backward_and_foreign_ranges_are_empty() {
        let net = "10.1.2.1/24".parse().unwrap();
        let pool = Pool::v4(net, &[range("10.1.2.9", "10.1.2.3"), range("9.0.0.1", "9.0.0.9")]);
        assert_eq!((pool.len(), pool.walk(7).count()), (0, 0));
    }

    #[test]
    fn huge_pools_neither_overflow_nor_loop_long() {
        let pool = Pool::v6("::/0".parse().unwrap(), &[]);
        assert!(pool.len() > 1 << 127);
        assert_eq!(pool.walk(u64::MAX).count() as u128, WALK);
    }
}
