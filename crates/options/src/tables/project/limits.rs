//! Limits of a project as a whole.

use std::collections::BTreeMap;

use crate::{Options, Size};

/// Limits of a project as a whole (`limits.*`): over all its instances together.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "project", group = "limits")]
pub struct ProjectLimits {
    /// Most containers.
    #[option(key = "limits.containers", since = "projects_limits")]
    pub containers: Option<u64>,
    /// Most processors of all instances together.
    ///
    /// With it, each instance must have a number in `limits.cpu`.
    #[option(key = "limits.cpu", since = "projects_limits")]
    pub cpu: Option<u64>,
    /// Most disk space of all volumes together.
    #[option(key = "limits.disk", since = "projects_limits_disk")]
    pub disk: Option<Size>,
    /// Most disk space in one pool.
    #[option(pattern = "limits.disk.pool.POOL_NAME")]
    pub disk_pool: BTreeMap<String, Size>,
    /// Most instances.
    #[option(key = "limits.instances", since = "projects_limits_instances")]
    pub instances: Option<u64>,
    /// Most memory of all instances together.
    ///
    /// With it, each instance must have a size in `limits.memory`.
    #[option(key = "limits.memory", since = "projects_limits")]
    pub memory: Option<Size>,
    /// Most networks.
    #[option(key = "limits.networks")]
    pub networks: Option<u64>,
    /// Most IPv4 addresses taken from one uplink network.
    #[option(pattern = "limits.networks.uplink_ips.ipv4.NETWORK_NAME")]
    pub uplink_ips_ipv4: BTreeMap<String, u64>,
    /// Most IPv6 addresses taken from one uplink network.
    #[option(pattern = "limits.networks.uplink_ips.ipv6.NETWORK_NAME")]
    pub uplink_ips_ipv6: BTreeMap<String, u64>,
    /// Most processes of all instances together.
    ///
    /// With it, each instance must have a number in `limits.processes`.
    #[option(key = "limits.processes", since = "projects_limits")]
    pub processes: Option<u64>,
    /// Most virtual machines.
    #[option(key = "limits.virtual-machines", since = "projects_limits")]
    pub virtual_machines: Option<u64>,
}
