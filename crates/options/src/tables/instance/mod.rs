//! Options of instances, and so of profiles: one part a file.

use std::collections::BTreeMap;

use crate::values::choice;
use crate::{List, ModuleName, Options, Problem, Problems, Raw};

pub use boot::Boot;
pub use cloud_init::CloudInit;
pub use limits::{Limits, MemoryEnforce, PinStrategy};
pub use overrides::Overrides;
pub use security::{Intercept, Security, Syscalls};
pub use snapshots::Snapshots;
pub use volatile::{PowerState, Volatile, device_key};

mod boot;
mod cloud_init;
mod limits;
mod overrides;
mod security;
mod snapshots;
mod volatile;

/// Options of an instance.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "miscellaneous", check = Self::consistent)]
pub struct InstanceOptions {
    /// Starting and stopping with the machine.
    #[option(nested)]
    pub boot: Boot,
    /// What cloud-init finds.
    #[option(nested)]
    pub cloud_init: CloudInit,
    /// Limits of resources.
    #[option(nested)]
    pub limits: Limits,
    /// What the instance may do, and what may be done to it.
    #[option(nested)]
    pub security: Security,
    /// Snapshots that are taken and deleted by themselves.
    #[option(nested)]
    pub snapshots: Snapshots,
    /// Overrides beneath the options (`raw.*`).
    #[option(nested)]
    pub overrides: Overrides,
    /// What the server remembers.
    #[option(nested)]
    pub volatile: Volatile,

    /// What happens to the instance when its member is evacuated.
    ///
    /// `auto` moves what can be moved and stops the rest, `live-migrate` moves it while it runs,
    /// `migrate` moves it stopped, `stop` leaves it here, stopped.
    #[option(key = "cluster.evacuate", default = "auto", since = "clustering_evacuation")]
    pub cluster_evacuate: Evacuate,
    /// What the instance is to be apart from.
    ///
    /// Instances of a project that have the same word here are placed in different failure domains
    /// of a cluster, and on different members, as far as there are enough of those that are not short
    /// of memory; when they are made and when a member is evacuated. Where one is named (`--target`),
    /// it is there. LXD has no such option.
    #[option(key = "cluster.spread")]
    pub cluster_spread: Option<String>,
    /// Whether a virtual machine's cards have the names of their devices inside.
    ///
    /// And their MTUs. Its agent gives them when it starts, and to a card that is added while it runs. In a container they
    /// always have them.
    #[option(
        key = "agent.nic_config",
        default = "false",
        condition = "virtual machine",
        apply = restart,
        since = "agent_nic_config"
    )]
    pub agent_nic_config: bool,
    /// Whether a virtual machine's memory may be kept, at a stop and in snapshots.
    ///
    /// Devices that cannot be left, such as folders of the host, hinder it.
    #[option(
        key = "migration.stateful",
        group = "migration",
        default = "false",
        condition = "virtual machine",
        apply = restart,
        since = "migration_stateful"
    )]
    pub migration_stateful: bool,
    /// Environment variable of everything started in the instance.
    ///
    /// PID 1 gets it at the next start, commands run by `exec` at once.
    #[option(pattern = "environment.*")]
    pub environment: BTreeMap<String, String>,
    /// Modules that the server's kernel loads before the container starts.
    #[option(key = "linux.kernel_modules", apply = restart, condition = "container")]
    pub kernel_modules: Option<List<ModuleName>>,
    /// When they are loaded: `boot`, before the container starts.
    #[option(
        key = "linux.kernel_modules.load",
        default = "boot",
        apply = restart,
        condition = "container"
    )]
    pub kernel_modules_load: LoadModules,
    /// Kernel parameter within the instance.
    ///
    /// Named as `sysctl` names it. Only parameters of a namespace that the instance has to itself
    /// can be set.
    #[option(pattern = "linux.sysctl.*", apply = restart, condition = "container")]
    pub sysctl: BTreeMap<String, String>,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
    /// Property of the image that the instance was made from.
    #[option(pattern = "image.*", since = "container_image_properties")]
    pub image: BTreeMap<String, String>,
}

choice! {
    /// When modules of the kernel are loaded.
    pub enum LoadModules { Boot = "boot" }
}

choice! {
    /// What happens to an instance when its member is evacuated.
    pub enum Evacuate {
        Auto = "auto",
        LiveMigrate = "live-migrate",
        Migrate = "migrate",
        Stop = "stop",
    }
}

impl InstanceOptions {
    /// Parses the configuration of a profile: the same options, without what the server remembers
    /// of one instance.
    pub fn parse_profile(raw: &Raw) -> Result<Self, Problems> {
        let of_one = |key: &&str| key.starts_with("volatile.") || key.starts_with("image.");
        let mut problems: Vec<Problem> = raw
            .keys()
            .filter(of_one)
            .map(|key| Problem::conflict(key, "belongs to one instance, not to a profile"))
            .collect();
        match Self::parse(raw) {
            Ok(typed) if problems.is_empty() => return Ok(typed),
            Ok(_) => {}
            Err(more) => problems.extend(more),
        }
        Err(Problems(problems))
    }

    fn consistent(&self) -> Vec<Problem> {
        let variables = self.environment.keys().filter(|name| name.contains(['=', '\0']));
        let variables = variables.map(|name| {
            Problem::conflict(
                format!("environment.{name}"),
                "is no name of an environment variable",
            )
        });
        let parameters = self.sysctl.keys().filter(|name| !is_parameter(name));
        let parameters = parameters.map(|name| {
            Problem::conflict(format!("linux.sysctl.{name}"), "is no name of a kernel parameter")
        });
        variables.chain(parameters).collect()
    }
}

/// A name that stays beneath `/proc/sys` when its dots become slashes.
fn is_parameter(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-');
    name.chars().all(inner) && name.split(['.', '/']).all(|part| !part.is_empty())
}
