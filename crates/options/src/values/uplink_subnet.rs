//! Subnets of an uplink network.

use std::fmt;

use ipnet::IpNet;

use super::value;

/// A subnet of an uplink network, as `uplink:subnet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UplinkSubnet {
    /// The uplink network.
    pub uplink: String,
    /// The subnet.
    pub subnet: IpNet,
}

value!(
    UplinkSubnet,
    "uplink-subnet",
    "a network and a subnet such as uplink:10.0.0.0/24",
    |text| {
        let (uplink, subnet) = text.split_once(':')?;
        let named = !uplink.is_empty();
        let subnet = subnet.parse().ok().filter(|_| named)?;
        Some(UplinkSubnet { uplink: uplink.to_owned(), subnet })
    }
);

impl fmt::Display for UplinkSubnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uplink, self.subnet)
    }
}
