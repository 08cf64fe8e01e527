//! DNS for guests: own names are answered here, all else is relayed to the host's resolvers.
//!
//! ```text
//! query -> consider() -> Answer(bytes)   names and addresses of the bridge's own domain and subnets
//!                     -> Forward         everything else; forward.rs relays it
//!                     -> Ignore          responses and rubbish
//! ```
//!
//! Names come from the list of instances by hardware address; what a guest calls itself counts in
//! mode `dynamic` only, and never when an instance has that name.

pub(crate) mod forward;
pub(crate) mod resolv;

mod answer;
mod zone;

pub use answer::{Verdict, consider};

/// A lower-case host name of one label (RFC 1123, 2.1), or nothing.
pub(crate) fn label(text: &str) -> Option<String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let fits = (1..=63).contains(&text.len()) && text.bytes().all(inner);
    (fits && !text.starts_with('-') && !text.ends_with('-')).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
