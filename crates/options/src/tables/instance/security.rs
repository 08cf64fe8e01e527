//! What the instance may do, and what may be done to it.

use crate::{Lines, Options, Problem};

/// What the instance may do, and what may be done to it (`security.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "security", check = Self::consistent)]
pub struct Security {
    /// Whether the agent in the virtual machine is asked for metrics.
    ///
    /// Otherwise they are what the host sees of it.
    #[option(
        key = "security.agent.metrics",
        default = "true",
        condition = "virtual machine",
        since = "metrics"
    )]
    pub agent_metrics: bool,
    /// Whether the instance may ask the server about itself, on `/dev/lxd/sock`.
    ///
    /// Turned off while it runs, nothing is answered any more; turned on, it is from the next start on.
    #[option(key = "security.devlxd", default = "true", since = "restrict_devlxd")]
    pub devlxd: bool,
    /// Whether the instance may have images of the server, on `/dev/lxd/sock`.
    ///
    /// Those that anybody may have, and those that were only fetched for instances.
    #[option(key = "security.devlxd.images", default = "false", since = "devlxd_images")]
    pub devlxd_images: bool,
    /// First id of the host that the instance's own map starts with.
    #[option(
        key = "security.idmap.base",
        apply = restart,
        default_text = "picked by the server",
        condition = "unprivileged container",
        since = "id_map_base"
    )]
    pub idmap_base: Option<u32>,
    /// Whether the instance has ids that no other instance has.
    #[option(
        key = "security.idmap.isolated",
        apply = restart,
        default = "false",
        condition = "unprivileged container",
        since = "id_map"
    )]
    pub idmap_isolated: bool,
    /// How many ids the instance has.
    #[option(
        key = "security.idmap.size",
        apply = restart,
        default_text = "65536",
        condition = "unprivileged container",
        since = "id_map"
    )]
    pub idmap_size: Option<u32>,
    /// Whether containers can run within the instance.
    #[option(
        key = "security.nesting",
        apply = restart,
        default = "false",
        condition = "container"
    )]
    pub nesting: bool,
    /// Whether root in the instance is root of the machine.
    ///
    /// Such a container can harm the machine; run only what you trust.
    #[option(
        key = "security.privileged",
        apply = restart,
        default = "false",
        condition = "container"
    )]
    pub privileged: bool,
    /// Whether the instance is protected from being deleted.
    #[option(
        key = "security.protection.delete",
        default = "false",
        since = "container_protection_delete"
    )]
    pub protection_delete: bool,
    /// Whether the files of the instance are protected from getting other owners.
    #[option(
        key = "security.protection.shift",
        default = "false",
        condition = "container",
        since = "container_protection_shift"
    )]
    pub protection_shift: bool,
    /// Whether the instance is protected from being started.
    #[option(
        key = "security.protection.start",
        default = "false",
        since = "instance_protection_start"
    )]
    pub protection_start: bool,
    /// Whether the virtual machine boots only what is signed.
    ///
    /// An image that says `requirements.secureboot=false` of itself turns it off.
    #[option(
        key = "security.secureboot",
        apply = restart,
        default = "true",
        condition = "virtual machine"
    )]
    pub secureboot: bool,
    /// Whether the virtual machine boots as from a BIOS.
    ///
    /// For systems without UEFI. It needs `security.secureboot` to be false.
    #[option(
        key = "security.csm",
        apply = restart,
        default = "false",
        condition = "virtual machine",
        since = "instance_csm"
    )]
    pub csm: bool,
    /// Filter of system calls.
    #[option(nested)]
    pub syscalls: Syscalls,
}

/// Filter of system calls (`security.syscalls.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "security", apply = restart)]
pub struct Syscalls {
    /// The only system calls allowed, one on each line.
    #[option(
        key = "security.syscalls.allow",
        condition = "container",
        since = "container_syscall_filtering_allow_deny_syntax"
    )]
    pub allow: Option<Lines<String>>,
    /// System calls denied, one on each line.
    #[option(
        key = "security.syscalls.deny",
        condition = "container",
        since = "container_syscall_filtering_allow_deny_syntax"
    )]
    pub deny: Option<Lines<String>>,
    /// Whether system calls of other word sizes are denied, such as 32-bit ones.
    #[option(
        key = "security.syscalls.deny_compat",
        default = "false",
        condition = "container",
        since = "container_syscall_filtering_allow_deny_syntax"
    )]
    pub deny_compat: bool,
    /// Whether the system calls that could harm the machine are denied.
    #[option(
        key = "security.syscalls.deny_default",
        default = "true",
        condition = "container",
        since = "container_syscall_filtering_allow_deny_syntax"
    )]
    pub deny_default: bool,
}

impl Security {
    fn consistent(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let syscalls = &self.syscalls;
        if syscalls.allow.is_some() && (syscalls.deny.is_some() || syscalls.deny_compat) {
            let key = "security.syscalls.allow";
            problems.push(Problem::conflict(
                key,
                "cannot be set together with security.syscalls.deny*",
            ));
        }
        if self.idmap_size == Some(0) {
            problems.push(Problem::invalid("security.idmap.size", "0", "at least 1"));
        }
        problems
    }
}
