//! What the instance may do, and what may be done to it.

use crate::{FileSystemName, FuseProgram, Lines, List, Options, Problem};

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
    /// Which are done in the container's stead.
    #[option(nested)]
    pub intercept: Intercept,
}

/// System calls that are done in the container's stead (`security.syscalls.intercept.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "security", apply = restart)]
pub struct Intercept {
    /// Whether the container's root may filter devices of its own groups.
    ///
    /// It takes `security.syscalls.intercept.bpf.devices` as well.
    #[option(
        key = "security.syscalls.intercept.bpf",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept_bpf_devices"
    )]
    pub bpf: bool,
    /// Whether programs that filter devices are loaded and attached for the container.
    #[option(
        key = "security.syscalls.intercept.bpf.devices",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept_bpf_devices"
    )]
    pub bpf_devices: bool,
    /// Whether the container's root may make device nodes that harm nobody.
    ///
    /// They are null, zero, full, random, urandom, tty and its own console.
    #[option(
        key = "security.syscalls.intercept.mknod",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept"
    )]
    pub mknod: bool,
    /// Whether file systems are mounted for the container.
    ///
    /// Which ones say `security.syscalls.intercept.mount.allowed` and `security.syscalls.intercept.mount.fuse`.
    #[option(
        key = "security.syscalls.intercept.mount",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept_mount"
    )]
    pub mount: bool,
    /// File systems that the kernel mounts for the container.
    ///
    /// Whoever writes to the device can attack the kernel by it. Device nodes on them open nothing.
    #[option(
        key = "security.syscalls.intercept.mount.allowed",
        condition = "container",
        since = "container_syscall_intercept_mount"
    )]
    pub mount_allowed: Option<List<FileSystemName>>,
    /// File systems that a program in the container mounts, as `ext4=fuse2fs`.
    #[option(
        key = "security.syscalls.intercept.mount.fuse",
        condition = "container",
        since = "container_syscall_intercept_mount_fuse"
    )]
    pub mount_fuse: Option<List<FuseProgram>>,
    /// Whether files on what is mounted get owners of the container's.
    #[option(
        key = "security.syscalls.intercept.mount.shift",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept_mount"
    )]
    pub mount_shift: bool,
    /// Whether the container's root may choose real-time policies of scheduling.
    #[option(
        key = "security.syscalls.intercept.sched_setscheduler",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept_sched_setscheduler"
    )]
    pub sched_setscheduler: bool,
    /// Whether the container's root may mark folders opaque for overlays.
    ///
    /// It is the attribute `trusted.overlay.opaque`, which unpacking layers of images sets.
    #[option(
        key = "security.syscalls.intercept.setxattr",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept"
    )]
    pub setxattr: bool,
    /// Whether programs that ask for the machine's memory are told the container's.
    #[option(
        key = "security.syscalls.intercept.sysinfo",
        default = "false",
        condition = "container",
        since = "container_syscall_intercept_sysinfo"
    )]
    pub sysinfo: bool,
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
        problems.extend(syscalls.intercept.contradiction());
        if self.idmap_size == Some(0) {
            problems.push(Problem::invalid("security.idmap.size", "0", "at least 1"));
        }
        problems
    }
}

impl Intercept {
    /// A file system that is to be mounted in two ways.
    fn contradiction(&self) -> Option<Problem> {
        let allowed = self.mount_allowed.as_deref().unwrap_or_default();
        let fuse = self.mount_fuse.as_deref().unwrap_or_default();
        let both = fuse.iter().find(|fuse| allowed.contains(&fuse.file_system))?;
        let why = format!(
            "names {} as well as security.syscalls.intercept.mount.allowed does",
            both.file_system
        );
        Some(Problem::conflict("security.syscalls.intercept.mount.fuse", why))
    }
}
