//! Events: what `/1.0/events` sends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ConfigMap, Timestamp};

/// Kind of event.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// Something came, went or changed; `metadata` is an [`EventLifecycle`].
    #[default]
    Lifecycle,
    /// An operation changed; `metadata` is an [`Operation`](crate::Operation).
    Operation,
    /// The daemon logged something; `metadata` is an [`EventLogging`].
    Logging,
    /// Something of a newer server.
    #[serde(other)]
    Other,
}

impl EventKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Operation => "operation",
            Self::Logging => "logging",
            Self::Other => "other",
        }
    }
}

api! {
    /// An event. `metadata` depends on `type`.
    pub struct Event {
        /// Kind.
        pub r#type: EventKind,
        /// When it happened.
        pub timestamp: Timestamp,
        /// What happened.
        pub metadata: Value,
        /// Member it happened on.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub location: String,
        /// Project it belongs to; empty when it belongs to none.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
    }

    /// Something came, went or changed.
    pub struct EventLifecycle {
        /// Such as `instance-started`.
        pub action: String,
        /// Address of the thing.
        pub source: String,
        /// More about it.
        #[serde(skip_serializing_if = "Map::is_empty")]
        pub context: Map<String, Value>,
        /// Who asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub requestor: Option<Requestor>,
    }

    /// Who asked for something.
    pub struct Requestor {
        /// Name of the user, or fingerprint of the certificate.
        pub username: String,
        /// `unix`, `tls`, `oidc`, `cluster`.
        pub protocol: String,
        /// Address it came from.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub address: String,
    }

    /// A line of the daemon's log.
    pub struct EventLogging {
        /// The text.
        pub message: String,
        /// `debug`, `info`, `warning`, `error`.
        pub level: String,
        /// Fields of the line.
        pub context: ConfigMap,
    }
}
