//! Whole numbers.

use std::fmt;

use crate::{Kind, Value};

macro_rules! integers {
    ($($type:ident),*) => {$(
        impl Value for $type {
            const KIND: Kind = Kind::Integer { min: $type::MIN as i64, max: $type::MAX as u64 };

            fn parse(text: &str) -> Result<Self, String> {
                let number = digits(text).and_then(|text| text.parse().ok());
                number.ok_or_else(|| Self::KIND.to_string())
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i32, i64);

/// A whole number between two bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bounded<const MIN: i64, const MAX: i64>(i64);

/// A priority from 0 (least) to 10 (most).
pub type Weight = Bounded<0, 10>;

impl<const MIN: i64, const MAX: i64> Bounded<MIN, MAX> {
    /// The number, when it is within the bounds.
    pub fn new(number: i64) -> Option<Self> {
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> Value for Bounded<MIN, MAX> {
    const KIND: Kind = Kind::Integer { min: MIN, max: MAX as u64 };

    fn parse(text: &str) -> Result<Self, String> {
        let number = digits(text).and_then(|text| text.parse().ok());
        number.and_then(Self::new).ok_or_else(|| Self::KIND.to_string())
    }
}

impl<const MIN: i64, const MAX: i64> fmt::Display for Bounded<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text, unless it has the plus sign that Rust would let pass.
fn digits(text: &str) -> Option<&str> {
    (!text.starts_with('+')).then_some(text)
}
