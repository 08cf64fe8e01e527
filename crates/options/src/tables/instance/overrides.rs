//! Overrides beneath the options.

use crate::{Arguments, IdmapEntry, Lines, Options, SeccompProfile};

/// Overrides beneath the options (`raw.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "raw")]
pub struct Overrides {
    /// AppArmor rules to add to the instance's profile.
    #[option(key = "raw.apparmor", apply = restart)]
    pub apparmor: Option<String>,
    /// Ids of the host that are the same users within the instance.
    ///
    /// A line each: `uid`, `gid` or `both`, the ids of the host, the ids of the instance; `both
    /// 1000 1000`.
    #[option(
        key = "raw.idmap",
        apply = restart,
        condition = "unprivileged container",
        since = "id_map"
    )]
    pub idmap: Option<Lines<IdmapEntry>>,
    /// Further arguments of QEMU, behind those that it is started with.
    ///
    /// Quoted as in a shell. QEMU stays confined: it sees no files but its own.
    #[option(key = "raw.qemu", apply = restart, condition = "virtual machine")]
    pub qemu: Option<Arguments>,
    /// A whole seccomp profile, in place of `security.syscalls.*`.
    ///
    /// In liblxc's form, version 2, for all architectures, without arguments of calls.
    #[option(key = "raw.seccomp", apply = restart, condition = "container")]
    pub seccomp: Option<SeccompProfile>,
}
