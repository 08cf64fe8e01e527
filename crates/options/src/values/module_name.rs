//! Names of modules of the kernel.

use std::{fmt, ops::Deref};

use crate::{Kind, Value};

/// A name of a module: it is given to `modprobe`, and part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleName(String);

impl Value for ModuleName {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        match (1..=55).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') {
            true => Ok(Self(text.to_owned())),
            false => Err("letters, digits, hyphens and underscores".to_owned()),
        }
    }
}

impl Deref for ModuleName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_no_option_and_no_path() {
        assert_eq!(&*ModuleName::parse("ip6_tables").unwrap(), "ip6_tables");
        for wrong in ["", "-r", "../x", "a b", "a/b"] {
            assert!(ModuleName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
