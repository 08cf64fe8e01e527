//! Instances: containers and virtual machines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceFull {
    /// The instance.
    #[serde(flatten)]
    pub instance: Instance,
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

impl From<Instance> for InstanceFull {
    fn from(instance: Instance) -> Self {
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
