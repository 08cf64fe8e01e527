//! Several values in one text.

use std::fmt;
use std::ops::Deref;

use crate::{Kind, Value};

/// Values separated by commas; spaces around them do not matter. Line ends separate as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

/// Values on a line each; empty lines do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines<T>(pub Vec<T>);

impl<T: Value> Value for List<T> {
    const KIND: Kind = Kind::List(&T::KIND);

    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(T::parse).collect::<Result<_, _>>().map(Self).map_err(|_| Self::KIND.to_string())
    }
}

impl<T: Value> Value for Lines<T> {
    const KIND: Kind = Kind::Lines(&T::KIND);

    fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(T::parse).collect::<Result<_, _>>().map(Self).map_err(|_| Self::KIND.to_string())
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(&self.0, ",", f)
    }
}

impl<T: fmt::Display> fmt::Display for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(&self.0, "\n", f)
    }
}

fn join<T: fmt::Display>(items: &[T], separator: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { separator })?;
    }
    Ok(())
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Deref for Lines<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
