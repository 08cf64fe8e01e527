//! VLANs of a network card.

use std::fmt;

use crate::{Bounded, Kind, Value};

/// A VLAN: 0 and 4095 have meanings of their own (IEEE 802.1Q).
pub type Vlan = Bounded<1, 4094>;

/// VLANs, one by one and as ranges: `2,5-7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlans(pub Vec<(u16, u16)>);

impl Value for Vlans {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let ranges = parts.map(range).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty());
        ranges
            .map(Self)
            .ok_or_else(|| "numbers from 1 to 4094 and ranges of them: 2,5-7".to_owned())
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let id = |text: &str| text.trim().parse::<u16>().ok().filter(|id| (1..=4094).contains(id));
    let (first, last) = (id(first)?, id(last)?);
    (first <= last).then_some((first, last))
}

impl fmt::Display for Vlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlans_are_numbers_and_ranges() {
        let vlans = Vlans::parse("2, 5-7").unwrap();
        assert_eq!(
            (vlans.0.clone(), vlans.to_string()),
            (vec![(2, 2), (5, 7)], "2,5-7".to_owned())
        );
        for wrong in ["", "0", "4095", "7-5", "2,x", "-3", "1--2"] {
            assert!(Vlans::parse(wrong).is_err(), "{wrong}");
        }
    }
}
