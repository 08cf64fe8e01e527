//! What the starter of an operation says about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wire::{OperationClass, Requestor};

use crate::locks::Claim;

/// What to do when a claimed name is held by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhenBusy {
    /// Refuse at once, naming the holder.
    #[default]
    Refuse,
    /// Stay pending until the name is free.
    Wait,
}

/// Kind ("instances") to URLs ("/1.0/instances/web").
pub type Resources = BTreeMap<String, Vec<String>>;

/// What the starter of an operation says about it. Built by chaining.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// A few words for people: "Creating instance".
    pub description: String,
    /// The project whose members see it.
    pub project: String,
    /// What kind of operation it is to a client.
    pub class: OperationClass,
    /// What it works on.
    pub resources: Resources,
    /// What clients find in its metadata from the start.
    pub metadata: Map<String, Value>,
    /// Who asked for it.
    pub requestor: Option<Requestor>,
    /// Whether a client may cancel it.
    pub cancellable: bool,
    /// The names it needs for itself or shares.
    pub claims: Vec<Claim>,
    /// What to do when one of them is held.
    pub when_busy: WhenBusy,
}

impl Request {
    /// An operation of class task in project "default" that can be cancelled.
    pub fn new(description: impl Into<String>) -> Request {
        Request {
            description: description.into(),
            project: "default".to_owned(),
            cancellable: true,
            ..Request::default()
        }
    }

    /// In this project.
    #[must_use]
    pub fn project(mut self, project: impl Into<String>) -> Request {
        self.project = project.into();
        self
    }

    /// Of this class.
    #[must_use]
    pub fn class(mut self, class: OperationClass) -> Request {
        self.class = class;
        self
    }

    /// Works on this, too: `resource("instances", "/1.0/instances/web")`.
    #[must_use]
    pub fn resource(mut self, kind: impl Into<String>, url: impl Into<String>) -> Request {
        self.resources.entry(kind.into()).or_default().push(url.into());
        self
    }

    /// Shows this in its metadata.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Request {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Asked for by them.
    #[must_use]
    pub fn requestor(mut self, requestor: Option<Requestor>) -> Request {
        self.requestor = requestor;
        self
    }

    /// Cannot be cancelled by a client.
    #[must_use]
    pub fn uncancellable(mut self) -> Request {
        self.cancellable = false;
        self
    }

    /// Needs this name for itself: `lock("instance/default/web")`.
    #[must_use]
    pub fn lock(mut self, name: impl Into<String>) -> Request {
        self.claims.push(Claim::alone(name));
        self
    }

    /// Needs this name, and shares it with others who only share it.
    #[must_use]
    pub fn share(mut self, name: impl Into<String>) -> Request {
        self.claims.push(Claim::shared(name));
        self
    }

    /// Waits for its names instead of being refused.
    #[must_use]
    pub fn wait_when_busy(mut self) -> Request {
        self.when_busy = WhenBusy::Wait;
        self
    }
}
