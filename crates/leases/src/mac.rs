//! An Ethernet address.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

/// Six bytes, written `00:16:3e:12:34:56`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr(pub [u8; 6]);

/// The text is not six pairs of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a hardware address")]
pub struct ParseMacError(String);

impl MacAddr {
    /// The bytes of a netlink or DHCP field, if there are six.
    pub fn from_slice(bytes: &[u8]) -> Option<MacAddr> {
        Some(MacAddr(bytes.try_into().ok()?))
    }

    /// The modified EUI-64 interface identifier (RFC 4291, appendix A).
    pub fn eui64(self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.0;
        [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
    }

    /// The address a guest forms in a /64 by autoconfiguration from this hardware address.
    pub fn in_prefix(self, net: Ipv6Net) -> Ipv6Addr {
        let mut bytes = net.network().octets();
        bytes[8..].copy_from_slice(&self.eui64());
        bytes.into()
    }

    /// The link-local address that goes with this hardware address.
    pub fn link_local(self) -> Ipv6Addr {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&[0xfe, 0x80]);
        bytes[8..].copy_from_slice(&self.eui64());
        bytes.into()
    }

    /// The hardware address inside an EUI-64 address, if it is one.
    pub fn from_eui64(address: Ipv6Addr) -> Option<MacAddr> {
        let o = address.octets();
        (o[11..13] == [0xff, 0xfe]).then(|| MacAddr([o[8] ^ 2, o[9], o[10], o[13], o[14], o[15]]))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<MacAddr, ParseMacError> {
        let bad = || ParseMacError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(bad)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() { Err(bad()) } else { Ok(MacAddr(bytes)) }
    }
}

impl TryFrom<String> for MacAddr {
    type Error = ParseMacError;

    fn try_from(text: String) -> Result<MacAddr, ParseMacError> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> String {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_both_ways() {
        let mac: MacAddr = "00:16:3E:01:aB:ff".parse().unwrap();
        assert_eq!(mac.to_string(), "00:16:3e:01:ab:ff");
        for bad in ["", "00:16:3e:01:ab", "00:16:3e:01:ab:ff:00", "0:16:3e:1:ab:fff", "00-16-3e"] {
            assert!(bad.parse::<MacAddr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn autoconfigured_addresses_carry_the_hardware_address() {
        let mac: MacAddr = "00:16:3e:01:ab:ff".parse().unwrap();
        let address = mac.in_prefix("fd42:1:2:3::1/64".parse().unwrap());
        assert_eq!(address.to_string(), "fd42:1:2:3:216:3eff:fe01:abff");
        assert_eq!(mac.link_local().to_string(), "fe80::216:3eff:fe01:abff");
        assert_eq!(MacAddr::from_eui64(address), Some(mac));
        assert_eq!(MacAddr::from_eui64("fe80::1".parse().unwrap()), None);
    }
}
