//! DNS domains.

use std::fmt;
use std::ops::Deref;

use super::value;

/// A DNS domain without a dot at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

fn is_label(label: &str) -> bool {
    let letters = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (1..=63).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
}

// RFC 1035: labels of at most 63 octets, 253 characters in all.
value!(Domain, "domain", "a DNS domain such as lab.example.org", |text| {
    let right = text.len() <= 253 && text.split('.').all(is_label);
    right.then(|| Domain(text.to_owned()))
});

impl Deref for Domain {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
