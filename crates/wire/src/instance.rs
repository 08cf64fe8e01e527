//! Instances: containers and virtual machines.

use std::{borrow::Cow, fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeSeed, MapAccess, Visitor,
        value::{CowStrDeserializer, MapAccessDeserializer},
    },
};

use crate::{
    ConfigMap, DevicesMap, InstanceBackup, InstanceSnapshot, InstanceSource, InstanceState,
    StatusCode, Timestamp,
};

/// Container or virtual machine. An empty string is read as container.
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
pub enum InstanceType {
    /// Shares the kernel of the host.
    #[default]
    #[serde(alias = "")]
    Container,
    /// Has a kernel of its own.
    VirtualMachine,
}

impl InstanceType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::VirtualMachine => "virtual-machine",
        }
    }
}

api! {
    /// An instance.
    pub struct Instance {
        /// Name, unique in its project.
        pub name: String,
        /// Free text.
        pub description: String,
        /// `Running`, `Stopped`, `Frozen` or `Error`.
        pub status: String,
        /// The same as a number.
        pub status_code: StatusCode,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it was last started.
        pub last_used_at: Timestamp,
        /// Member it is on; `none` outside a cluster.
        pub location: String,
        /// Kind of instance.
        pub r#type: InstanceType,
        /// Project it is in.
        pub project: String,
        /// Kernel architecture it runs.
        pub architecture: String,
        /// Whether it is deleted when it stops.
        pub ephemeral: bool,
        /// Whether its run-time state is saved on disk.
        pub stateful: bool,
        /// Profiles under it, the first one first.
        pub profiles: Vec<String>,
        /// Own options.
        pub config: ConfigMap,
        /// Own devices.
        pub devices: DevicesMap,
        /// Options of profiles and own together.
        pub expanded_config: ConfigMap,
        /// Devices of profiles and own together.
        pub expanded_devices: DevicesMap,
    }

    /// An instance's changeable part, to replace it.
    pub struct InstancePut {
        /// Kernel architecture.
        pub architecture: String,
        /// Own options.
        pub config: ConfigMap,
        /// Own devices.
        pub devices: DevicesMap,
        /// Whether it is deleted when it stops.
        pub ephemeral: bool,
        /// Profiles, the first one first; none given means the `default` one.
        pub profiles: Option<Vec<String>>,
        /// Snapshot to go back to instead of any other change.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub restore: String,
        /// Whether to go back to the snapshot's run-time state as well.
        pub stateful: bool,
        /// Free text.
        pub description: String,
    }

    /// A new instance.
    pub struct InstancesPost {
        /// Name; the server finds one when it is empty.
        pub name: String,
        /// Where its disk comes from.
        pub source: InstanceSource,
        /// Kind of instance.
        pub r#type: InstanceType,
        /// Whether to start it at once.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub start: bool,
        /// Size by a name of another cloud, such as `c2-m4`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub instance_type: String,
        /// Kernel architecture; empty takes the image's.
        pub architecture: String,
        /// Own options.
        pub config: ConfigMap,
        /// Own devices.
        pub devices: DevicesMap,
        /// Whether it is deleted when it stops.
        pub ephemeral: bool,
        /// Profiles; absent means the `default` one, an empty list means none.
        pub profiles: Option<Vec<String>>,
        /// Whether to copy the run-time state too.
        pub stateful: bool,
        /// Free text.
        pub description: String,
    }

    /// A new root for an instance.
    pub struct InstanceRebuildPost {
        /// Of type `image`, or `none` for an empty one.
        pub source: InstanceSource,
    }

    /// Where a migration goes that this server connects for.
    pub struct InstancePostTarget {
        /// Certificate of the other server, PEM.
        pub certificate: String,
        /// Address of its operation.
        pub operation: String,
        /// Secrets of the operation's websockets.
        #[serde(rename = "secrets")]
        pub websockets: ConfigMap,
    }

    /// A new name, or a move.
    pub struct InstancePost {
        /// The new name.
        pub name: String,
        /// Whether it is a move to another server or member.
        pub migration: bool,
        /// Whether to move it while it runs.
        pub live: bool,
        /// Whether to leave the snapshots behind.
        pub instance_only: bool,
        /// The same by its older name.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub container_only: bool,
        /// The other server, where it waits for this one to connect.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target: Option<InstancePostTarget>,
        /// Pool to move to.
        pub pool: String,
        /// Project to move to.
        pub project: String,
        /// Whether to go on when a file changes under the copy.
        pub allow_inconsistent: bool,
    }
}

/// An instance with its state and snapshots: what a list with `recursion=2` holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct InstanceFull {
    /// The instance, which many lists may share.
    #[serde(flatten)]
    pub instance: Arc<Instance>,
    /// Its state; absent with `recursion=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<InstanceState>,
    /// Its snapshots; absent with `recursion=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<Vec<InstanceSnapshot>>,
    /// Its backups; absent with `recursion=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<Vec<InstanceBackup>>,
}

/// In one go: what serde does by itself for `flatten` keeps every field before it reads it, and a list has thousands.
impl<'de> Deserialize<'de> for InstanceFull {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FullVisitor)
    }
}

struct FullVisitor;

impl<'de> Visitor<'de> for FullVisitor {
    type Value = InstanceFull;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instance")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<InstanceFull, A::Error> {
        let mut full = InstanceFull::default();
        let own = OwnFields { map, full: &mut full };
        let instance = Instance::deserialize(MapAccessDeserializer::new(own))?;
        Ok(InstanceFull { instance: Arc::new(instance), ..full })
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of an instance alone; what stands beside them goes where it belongs.
struct OwnFields<'a, A> {
    map: A,
    full: &'a mut InstanceFull,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OwnFields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Key(key)) = self.map.next_key()? {
            match &*key {
                "state" => self.full.state = self.map.next_value()?,
                "snapshots" => self.full.snapshots = self.map.next_value()?,
                "backups" => self.full.backups = self.map.next_value()?,
                _ => return seed.deserialize(CowStrDeserializer::new(key)).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl From<Instance> for InstanceFull {
    fn from(instance: Instance) -> Self {
        Self::from(Arc::new(instance))
    }
}

impl From<Arc<Instance>> for InstanceFull {
    fn from(instance: Arc<Instance>) -> Self {
        Self { instance, state: None, snapshots: None, backups: None }
    }
}

impl Instance {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> InstancePut {
        InstancePut {
            architecture: self.architecture.clone(),
            config: self.config.clone(),
            devices: self.devices.clone(),
            ephemeral: self.ephemeral,
            profiles: Some(self.profiles.clone()),
            restore: String::new(),
            stateful: self.stateful,
            description: self.description.clone(),
        }
    }
}
