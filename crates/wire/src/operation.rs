//! Operations: what a request started that goes on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{StatusCode, Timestamp};

/// What an operation wants of the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperationClass {
    /// Nothing.
    #[default]
    Task,
    /// That it connects to websockets.
    Websocket,
    /// That it carries a token to somebody.
    Token,
}

api! {
    /// Something that goes on, or has just ended.
    pub struct Operation {
        /// UUID.
        pub id: String,
        /// What it wants of the client.
        pub class: OperationClass,
        /// What it does, for people.
        pub description: String,
        /// When it began.
        pub created_at: Timestamp,
        /// When it last changed.
        pub updated_at: Timestamp,
        /// Word for the state.
        pub status: String,
        /// The state.
        pub status_code: StatusCode,
        /// Addresses of what it works on, by kind: `instances`, `images` and so on.
        pub resources: BTreeMap<String, Vec<String>>,
        /// What it tells: progress, secrets of websockets, results.
        pub metadata: Option<BTreeMap<String, Value>>,
        /// Whether it can be cancelled.
        pub may_cancel: bool,
        /// What went wrong, else empty.
        pub err: String,
        /// Member it runs on.
        pub location: String,
    }
}

impl Operation {
    /// Its address.
    pub fn url(&self) -> String {
        format!("/1.0/operations/{}", self.id)
    }

    /// The last progress it told: the value of the first `*_progress` entry, such as `rootfs: 42%`.
    pub fn progress(&self) -> Option<String> {
        let metadata = self.metadata.as_ref()?;
        let (_, value) =
            metadata.iter().find(|(key, value)| key.ends_with("_progress") && value.is_string())?;
        value.as_str().map(str::to_owned)
    }

    /// The metadata as a type of its own.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn metadata_as<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<T> {
        let metadata = self.metadata.clone().unwrap_or_default();
        serde_json::from_value(Value::Object(metadata.into_iter().collect()))
    }
}
