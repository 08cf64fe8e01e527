//! What sort of values an option takes: for messages, reference pages, completion and forms.

use std::fmt;

/// The sort of values a [`crate::Value`] accepts. Its `Display` says what is allowed, to end the
/// sentence "wanted: ..".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// True or false, in any of LXD's spellings.
    Bool,
    /// A whole number, both ends included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text of a special form.
    Form {
        /// Short name of the form, such as `size`.
        name: &'static str,
        /// What is allowed, with an example.
        allowed: &'static str,
    },
    /// `auto`, `none`, or a value of the inner kind.
    Setting(&'static Kind),
    /// `none`, or a value of the inner kind.
    OrNone(&'static Kind),
    /// Several of the inner kind, separated by commas.
    List(&'static Kind),
    /// Several of the inner kind, one on each line.
    Lines(&'static Kind),
}

impl Kind {
    /// The word that LXD's metadata has for the type: `bool`, `integer` or `string`.
    pub fn lxd_type(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Integer { .. } => "integer",
            _ => "string",
        }
    }

    /// All values, when they are few: for completion.
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Self::Bool => vec!["true", "false"],
            Self::Choice(words) => words.to_vec(),
            Self::Setting(inner) => [vec!["auto", "none"], inner.words()].concat(),
            Self::OrNone(inner) => [vec!["none"], inner.words()].concat(),
            _ => vec![],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("any text"),
            Self::Bool => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Choice([word]) => f.write_str(word),
            Self::Choice([first @ .., last]) => write!(f, "{} or {last}", first.join(", ")),
            Self::Choice([]) => f.write_str("nothing"),
            Self::Form { allowed, .. } => f.write_str(allowed),
            Self::Setting(inner) => write!(f, "auto, none or {inner}"),
            Self::OrNone(inner) => write!(f, "none or {inner}"),
            Self::List(inner) => write!(f, "a comma-separated list, each {inner}"),
            Self::Lines(inner) => write!(f, "lines, each {inner}"),
        }
    }
}
