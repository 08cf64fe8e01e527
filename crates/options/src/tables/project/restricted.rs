//! What is refused in a restricted project.

use crate::values::choice;
use crate::{IdRange, List, Options, UplinkSubnet};

/// What is refused in a project (`restricted.*`). All of it matters only with `restricted` on.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "project", group = "restricted")]
pub struct Restricted {
    /// Whether instances of the project are kept from what could harm others.
    ///
    /// What exactly is refused, the options beneath `restricted.` say.
    #[option(key = "restricted", default = "false", since = "projects_restrictions")]
    pub restricted: bool,
    /// Whether backups can be made.
    #[option(
        key = "restricted.backups",
        default = "block",
        since = "projects_restricted_backups_and_snapshots"
    )]
    pub backups: Access,
    /// Cluster groups that instances may be put in.
    #[option(key = "restricted.cluster.groups")]
    pub cluster_groups: Option<List<String>>,
    /// Whether a member can be chosen for an instance.
    #[option(key = "restricted.cluster.target", default = "block")]
    pub cluster_target: Access,
    /// Whether system calls of containers can be intercepted.
    ///
    /// `allow` permits the ways that are safe, `full` all.
    #[option(key = "restricted.containers.interception", default = "block")]
    pub containers_interception: Interception,
    /// Whether containers can have options beneath `raw.` and the like.
    #[option(key = "restricted.containers.lowlevel", default = "block")]
    pub containers_lowlevel: Access,
    /// Whether containers can have `security.nesting`.
    #[option(key = "restricted.containers.nesting", default = "block")]
    pub containers_nesting: Access,
    /// Which containers can exist.
    ///
    /// `isolated` wants an id map of their own, `unprivileged` any id map, `allow` lets privileged
    /// ones be.
    #[option(key = "restricted.containers.privilege", default = "unprivileged")]
    pub containers_privilege: Privilege,
    /// Which disks can be used.
    ///
    /// `managed` means disks of a pool.
    #[option(key = "restricted.devices.disk", default = "managed")]
    pub devices_disk: ManagedAccess,
    /// Paths of the host that disks may have as their source.
    #[option(
        key = "restricted.devices.disk.paths",
        condition = "restricted.devices.disk is allow"
    )]
    pub devices_disk_paths: Option<List<String>>,
    /// Whether devices of type `gpu` can be used.
    #[option(key = "restricted.devices.gpu", default = "block")]
    pub devices_gpu: Access,
    /// Whether devices of type `infiniband` can be used.
    #[option(key = "restricted.devices.infiniband", default = "block")]
    pub devices_infiniband: Access,
    /// Which network cards can be used.
    ///
    /// `managed` means cards on a network of the server.
    #[option(key = "restricted.devices.nic", default = "managed")]
    pub devices_nic: ManagedAccess,
    /// Whether devices of type `pci` can be used.
    #[option(key = "restricted.devices.pci", default = "block")]
    pub devices_pci: Access,
    /// Whether devices of type `proxy` can be used.
    #[option(key = "restricted.devices.proxy", default = "block")]
    pub devices_proxy: Access,
    /// Whether devices of type `unix-block` can be used.
    #[option(key = "restricted.devices.unix-block", default = "block")]
    pub devices_unix_block: Access,
    /// Whether devices of type `unix-char` can be used.
    #[option(key = "restricted.devices.unix-char", default = "block")]
    pub devices_unix_char: Access,
    /// Whether devices of type `unix-hotplug` can be used.
    #[option(key = "restricted.devices.unix-hotplug", default = "block")]
    pub devices_unix_hotplug: Access,
    /// Whether devices of type `usb` can be used.
    #[option(key = "restricted.devices.usb", default = "block")]
    pub devices_usb: Access,
    /// Groups of the host that `raw.idmap` may name.
    #[option(key = "restricted.idmap.gid")]
    pub idmap_gid: Option<List<IdRange>>,
    /// Users of the host that `raw.idmap` may name.
    #[option(key = "restricted.idmap.uid")]
    pub idmap_uid: Option<List<IdRange>>,
    /// Networks that the project may use.
    #[option(key = "restricted.networks.access")]
    pub networks_access: Option<List<String>>,
    /// Subnets of uplinks that the project may use, as `uplink:subnet`.
    #[option(key = "restricted.networks.subnets", default_text = "block")]
    pub networks_subnets: Option<List<UplinkSubnet>>,
    /// Networks that may be uplinks of the project's networks.
    #[option(key = "restricted.networks.uplinks", default_text = "block")]
    pub networks_uplinks: Option<List<String>>,
    /// Zones that the project's networks may be in.
    #[option(key = "restricted.networks.zones", default_text = "block")]
    pub networks_zones: Option<List<String>>,
    /// Whether snapshots can be made.
    #[option(key = "restricted.snapshots", default = "block")]
    pub snapshots: Access,
    /// Whether virtual machines can have options beneath `raw.` and the like.
    #[option(key = "restricted.virtual-machines.lowlevel", default = "block")]
    pub virtual_machines_lowlevel: Access,
}

choice! {
    /// Whether something is allowed.
    pub enum Access { Allow = "allow", Block = "block" }
}

choice! {
    /// Whether something is allowed, or only what the server manages.
    pub enum ManagedAccess { Allow = "allow", Managed = "managed", Block = "block" }
}

choice! {
    /// Which interception of system calls is allowed.
    pub enum Interception { Allow = "allow", Block = "block", Full = "full" }
}

choice! {
    /// Which containers are allowed.
    pub enum Privilege { Allow = "allow", Isolated = "isolated", Unprivileged = "unprivileged" }
}
