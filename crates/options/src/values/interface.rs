//! Names of network interfaces.

use std::fmt;
use std::ops::Deref;

use super::value;
use crate::names;

/// A name that the kernel takes for a network interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

value!(
    InterfaceName,
    "interface",
    "an interface name of 1 to 15 letters, digits, dots, dashes and underscores",
    |text| names::is_interface(text).then(|| InterfaceName(text.to_owned()))
);

impl Deref for InterfaceName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
