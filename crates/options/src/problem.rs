//! What is wrong with a configuration.

use std::fmt;
use std::ops::Deref;

/// One thing wrong with a configuration map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, with its prefix.
    pub key: String,
    /// The value given, if any.
    pub value: Option<String>,
    /// What is wrong.
    pub why: Why,
    /// Where the map stands, such as `device "eth0"`; None for the map of the object itself.
    pub within: Option<String>,
}

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The value is not one of those allowed, which are these.
    Invalid(String),
    /// No option has this key; the nearest that there is.
    Unknown(Option<String>),
    /// A key of LXD's that is not done yet.
    NotYet,
    /// The key must be given; what is allowed.
    Missing(String),
    /// It contradicts another key or what the object is; the sentence says how.
    Conflict(String),
}

impl Problem {
    /// The value is not one of those allowed.
    pub fn invalid(key: impl Into<String>, value: &str, allowed: impl Into<String>) -> Self {
        Self::new(key, Some(value.to_owned()), Why::Invalid(allowed.into()))
    }

    /// The key must be given.
    pub fn missing(key: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::new(key, None, Why::Missing(allowed.into()))
    }

    /// The key contradicts another; the sentence follows the key.
    pub fn conflict(key: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self::new(key, None, Why::Conflict(sentence.into()))
    }

    pub(crate) fn new(key: impl Into<String>, value: Option<String>, why: Why) -> Self {
        Self { key: key.into(), value, why, within: None }
    }

    /// The same problem, said to be within something such as `device "eth0"`.
    #[must_use]
    pub fn within(mut self, place: impl Into<String>) -> Self {
        self.within = Some(place.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.within {
            write!(f, "{place}: ")?;
        }
        let key = &self.key;
        let value = self.value.as_deref().unwrap_or_default();
        match &self.why {
            Why::Invalid(allowed) => write!(f, "invalid value {value:?} for {key:?}: {allowed}"),
            Why::Unknown(Some(near)) => write!(f, "unknown key {key:?}: is {near:?} meant?"),
            Why::Unknown(None) => write!(f, "unknown key {key:?}"),
            Why::NotYet => write!(f, "key {key:?} is not supported yet"),
            Why::Missing(allowed) => write!(f, "{key:?} must be set: {allowed}"),
            Why::Conflict(sentence) => write!(f, "{key:?} {sentence}"),
        }
    }
}

impl std::error::Error for Problem {}

/// Everything wrong with a configuration; never empty when it is an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The problems as a result: an error when there is one.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl Deref for Problems {
    type Target = [Problem];

    fn deref(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl From<Problems> for Vec<Problem> {
    fn from(problems: Problems) -> Self {
        problems.0
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
