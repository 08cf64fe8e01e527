//! What a client knows of an instance or a volume.

use std::collections::BTreeMap;

use serde_json::{Value, json};

const VOLUMES: &str = "/1.0/storage-pools/default/volumes/custom";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Instance,
    Volume,
}

/// What it has; `None` where an answer did not come, or said that it failed. Empty if it has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// Its option `user.note`.
    pub(super) note: Option<String>,
    /// What is in `/root/note`. Volumes have none that is looked at.
    pub(super) file: Option<String>,
}

impl Content {
    pub(super) fn empty(kind: Kind) -> Content {
        let file = (kind == Kind::Instance).then(String::new);
        Content { note: Some(String::new()), file }
    }
}

/// A snapshot.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    /// Whether it is there, if that is known.
    pub(super) there: Option<bool>,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    /// Whether it is there, if that is known.
    pub(super) there: Option<bool>,
    pub(super) running: Option<bool>,
    pub(super) content: Content,
    pub(super) snapshots: BTreeMap<String, Saved>,
    /// What it may still be called: just one of both is there.
    pub(super) or: Option<String>,
}

impl Thing {
    pub(super) fn new(kind: Kind) -> Thing {
        let content = Content::empty(kind);
        let snapshots = BTreeMap::new();
        Thing { kind, there: None, running: Some(false), content, snapshots, or: None }
    }

    /// A copy that is to be made of it, without its snapshots.
    pub(super) fn copy(&self) -> Thing {
        Thing { content: self.content.clone(), ..Thing::new(self.kind) }
    }

    /// The snapshots that are known to be there.
    pub(super) fn known(&self) -> Vec<String> {
        let there = self.snapshots.iter().filter(|(_, saved)| saved.there == Some(true));
        there.map(|(name, _)| name.clone()).collect()
    }
}

impl Kind {
    /// Where all of the kind are.
    pub(super) fn all(self) -> &'static str {
        match self {
            Kind::Instance => "/1.0/instances",
            Kind::Volume => VOLUMES,
        }
    }

    pub(super) fn path(self, name: &str) -> String {
        format!("{}/{name}", self.all())
    }

    /// What makes one of nothing; of an instance, with the worker's own volume, and a proxy that listens on that port.
    pub(super) fn made(self, name: &str, start: bool, worker: usize, port: u32) -> Value {
        match self {
            Kind::Volume => json!({ "name": name }),
            Kind::Instance => {
                let data = json!({
                    "type": "disk", "pool": "default", "source": data(worker), "path": "/data",
                });
                let door = json!({
                    "type": "proxy", "listen": format!("tcp:127.0.0.1:{port}"), "connect": "tcp:127.0.0.1:80",
                });
                let source = json!({ "type": "image", "alias": "busybox" });
                let devices = json!({ "data": data, "door": door });
                json!({ "name": name, "source": source, "start": start, "devices": devices })
            }
        }
    }

    pub(super) fn copied(self, name: &str, from: &str) -> Value {
        let source = match self {
            Kind::Volume => {
                json!({ "type": "copy", "name": from, "pool": "default", "volume_only": true })
            }
            Kind::Instance => json!({ "type": "copy", "source": from, "instance_only": true }),
        };
        json!({ "name": name, "source": source })
    }
}

/// A volume that all instances of a worker have.
pub(super) fn data(worker: usize) -> String {
    format!("data{worker}")
}
