//! A configuration in both forms.

use std::ops::Deref;

use crate::{Options, Problems, Raw};

/// The map as it came, to go back on the wire word for word, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config<O> {
    /// As it came.
    pub raw: Raw,
    /// What it means.
    pub typed: O,
}

impl<O: Options> Config<O> {
    /// Parses a map.
    pub fn parse(raw: Raw) -> Result<Self, Problems> {
        let typed = O::parse(&raw)?;
        Ok(Self { raw, typed })
    }
}

impl<O> Deref for Config<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.typed
    }
}
