//! Moments on the wire.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A moment, RFC 3339 on the wire. "Never" is Go's zero time, the first second of year 1, and is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Seconds from the Unix epoch back to the start of year 1.
    const YEAR_ONE: i64 = -62_135_596_800;

    /// "Never": 0001-01-01T00:00:00Z.
    pub const NEVER: Self = match DateTime::from_timestamp(Self::YEAR_ONE, 0) {
        Some(moment) => Self(moment),
        None => Self(DateTime::UNIX_EPOCH),
    };

    /// Seconds since the Unix epoch; out of chrono's range is "never".
    pub fn from_unix(seconds: i64) -> Self {
        DateTime::from_timestamp(seconds, 0).map_or(Self::NEVER, Self)
    }

    /// Whether this is "never", which Go also writes as the Unix epoch at times.
    pub fn is_never(self) -> bool {
        self == Self::NEVER || self.0 == DateTime::UNIX_EPOCH
    }

    /// The moment itself.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::NEVER
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}
