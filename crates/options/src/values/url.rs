//! Addresses of services elsewhere.

use std::fmt;
use std::ops::Deref;

use super::value;

/// An `http` or `https` URL, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        (!host.is_empty() && clean).then(|| Self(text.to_owned()))
    }
}

value!(Url, "url", "a URL such as https://example.org:8443", Url::read);

impl Deref for Url {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
