//! What devices of the host are named by: where they are on the PCI bus, and who made them.

use std::{fmt, ops::RangeInclusive};

use super::value;

/// The place of a device on the PCI bus, such as `0000:01:00.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u32,
    slot: u32,
    function: u32,
}

impl PciAddress {
    /// Whether both are functions of one card.
    pub fn same_card(self, other: Self) -> bool {
        Self { function: 0, ..self } == Self { function: 0, ..other }
    }

    fn read(text: &str) -> Option<Self> {
        let (rest, function) = text.rsplit_once('.')?;
        let (rest, slot) = rest.rsplit_once(':')?;
        let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0000", rest));
        let function = hex(function, 1..=1).filter(|function| *function < 8)?;
        let slot = hex(slot, 2..=2).filter(|slot| *slot < 32)?;
        Some(Self { domain: hex(domain, 4..=8)?, bus: hex(bus, 2..=2)?, slot, function })
    }
}

fn hex(text: &str, length: RangeInclusive<usize>) -> Option<u32> {
    let digits = length.contains(&text.len()) && text.bytes().all(|it| it.is_ascii_hexdigit());
    u32::from_str_radix(text, 16).ok().filter(|_| digits)
}

value!(
    PciAddress,
    "pci-address",
    "a PCI address such as 0000:01:00.0, as lspci -D shows them",
    PciAddress::read
);

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, slot, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{slot:02x}.{function:x}")
    }
}

/// The number of a maker or of a product, as PCI and USB have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u16);

impl DeviceId {
    fn read(text: &str) -> Option<Self> {
        hex(text, 4..=4).and_then(|id| u16::try_from(id).ok()).map(Self)
    }
}

value!(DeviceId, "device-id", "four hexadecimal digits, such as 0bda", DeviceId::read);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn places_on_the_bus() {
        for (text, shown) in [
            ("0000:01:1f.7", "0000:01:1f.7"),
            ("0A:00.0", "0000:0a:00.0"),
            ("10000:e1:00.0", "10000:e1:00.0"),
        ] {
            assert_eq!(PciAddress::parse(text).unwrap().to_string(), shown);
        }
        for bad in
            ["", "01:00", "01:20.0", "01:00.8", "1:00.0", "0000:01:00.0.0", "x:01:00.0", "+1:00.0"]
        {
            assert!(PciAddress::parse(bad).is_err(), "{bad:?}");
        }
        let place = |text| PciAddress::parse(text).unwrap();
        assert!(place("01:00.0").same_card(place("01:00.1")));
        assert!(!place("01:00.0").same_card(place("02:00.0")));
    }

    #[test]
    fn makers_and_products() {
        assert_eq!(DeviceId::parse("0BDA").unwrap().to_string(), "0bda");
        for bad in ["", "bda", "0x0bda", "0bdag", "+bda"] {
            assert!(DeviceId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
