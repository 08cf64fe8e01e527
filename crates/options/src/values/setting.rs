//! Values with the words `auto` and `none` beside them.

use std::fmt;

use crate::{Kind, Value};

/// `auto`, `none`, or a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setting<T> {
    /// The server picks a value.
    Auto,
    /// Switched off.
    #[default]
    None,
    /// This value.
    Value(T),
}

/// `none`, or a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrNone<T> {
    /// Switched off.
    #[default]
    None,
    /// This value.
    Value(T),
}

impl<T> Setting<T> {
    /// The value, when there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Auto | Self::None => None,
        }
    }

    /// Whether the server is to pick a value.
    pub fn is_auto(&self) -> bool {
        matches!(self, Self::Auto)
    }

    /// Whether it is switched off.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl<T> OrNone<T> {
    /// The value, when there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::None => None,
        }
    }

    /// Whether it is switched off.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl<T: Value> Value for Setting<T> {
    const KIND: Kind = Kind::Setting(&T::KIND);

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ => T::parse(text).map(Self::Value).map_err(|inner| format!("auto, none or {inner}")),
        }
    }
}

impl<T: Value> Value for OrNone<T> {
    const KIND: Kind = Kind::OrNone(&T::KIND);

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            _ => T::parse(text).map(Self::Value).map_err(|inner| format!("none or {inner}")),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Value(value) => value.fmt(f),
        }
    }
}

impl<T: fmt::Display> fmt::Display for OrNone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Value(value) => value.fmt(f),
        }
    }
}
