//! Ranges of addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::value;

macro_rules! address_range {
    ($name:ident, $address:ty, $net:ty, $what:literal) => {
        #[doc = concat!("A range of ", $what, " addresses, both ends included.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            /// The first address.
            pub first: $address,
            /// The last address, not before the first.
            pub last: $address,
        }

        impl $name {
            /// Whether the address is in the range.
            pub fn contains(&self, address: $address) -> bool {
                (self.first..=self.last).contains(&address)
            }

            /// Whether the two ranges have an address in common.
            pub fn overlaps(&self, other: &Self) -> bool {
                self.first <= other.last && other.first <= self.last
            }

            /// Whether the whole range is in the subnet.
            pub fn is_within(&self, net: &$net) -> bool {
                net.contains(&self.first) && net.contains(&self.last)
            }

            fn read(text: &str) -> Option<Self> {
                let (first, last) = text.split_once('-')?;
                let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
                (first <= last).then_some(Self { first, last })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}-{}", self.first, self.last)
            }
        }
    };
}

address_range!(Ipv4Range, Ipv4Addr, Ipv4Net, "IPv4");
address_range!(Ipv6Range, Ipv6Addr, Ipv6Net, "IPv6");

value!(Ipv4Range, "ipv4-range", "a range such as 10.0.0.100-10.0.0.200", Ipv4Range::read);
value!(Ipv6Range, "ipv6-range", "a range such as fd42::100-fd42::200", Ipv6Range::read);
