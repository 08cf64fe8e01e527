//! One instance, whole.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    DeviceNode, IdMap, Intercept, Limits, MappedIds, Mount, Process, Rlimit, Root, VERSION,
};

/// Everything a monitor needs to know to run one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Unique on this machine; `[a-zA-Z0-9_.-]+`, for example `default_web`.
    pub id: String,
    /// Grows with each start of the instance, so that a late cleanup never hits a newer start.
    pub generation: u64,
    /// Whether its first process is QEMU, and the instance is the virtual machine in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub machine: bool,
    /// Host name inside.
    pub hostname: String,
    /// Where its files are.
    pub root: Root,
    /// Which host ids it gets; `None` is a privileged container.
    #[serde(default)]
    pub idmap: Option<IdMap>,
    /// Single ids that are mapped otherwise; never its root.
    #[serde(default)]
    pub raw_idmap: Vec<MappedIds>,
    /// Disks, in the order in which they are mounted.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Device nodes besides the standard ones.
    #[serde(default)]
    pub devices: Vec<DeviceNode>,
    /// PID 1.
    pub process: Process,
    /// Which system calls are refused.
    #[serde(default)]
    pub seccomp: Seccomp,
    /// AppArmor label of everything inside; the profile is loaded already.
    #[serde(default)]
    pub apparmor: Option<String>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Resource limits of PID 1, which its children inherit.
    #[serde(default)]
    pub rlimits: Vec<Rlimit>,
    /// Kernel settings of its namespaces: `net.ipv4.ip_forward`, value.
    #[serde(default)]
    pub sysctls: Vec<(String, String)>,
    /// May it run containers of its own?
    #[serde(default)]
    pub nesting: bool,
    /// Where lxcfs is mounted on the host, if its files shall cover those of `/proc`.
    #[serde(default)]
    pub lxcfs: Option<PathBuf>,
    /// The signal that asks PID 1 to shut down; see [`Process::stop_signal`].
    pub stop_signal: i32,
    /// This instance's own folder for its socket and exit file.
    pub run_dir: PathBuf,
    /// This instance's own folder for `console.log` and `monitor.log`.
    pub log_dir: PathBuf,
    /// Control group, below the root of each hierarchy:
    /// `microcloud.payload/<daemon tag>/<id>-<generation>`.
    pub cgroup: String,
}

impl InstanceSpec {
    /// An unprivileged system container with default limits; its folders lie below `run` and
    /// `logs`, its control group below `microcloud.payload/<tag>`.
    pub fn new(tag: &str, id: &str, generation: u64, root: Root, process: Process) -> Self {
        InstanceSpec {
            version: VERSION,
            id: id.to_owned(),
            generation,
            machine: false,
            hostname: id.rsplit('_').next().unwrap_or(id).to_owned(),
            root,
            idmap: Some(IdMap::default()),
            raw_idmap: Vec::new(),
            mounts: Vec::new(),
            devices: Vec::new(),
            stop_signal: process.stop_signal(),
            process,
            seccomp: Seccomp::default(),
            apparmor: None,
            limits: Limits::default(),
            rlimits: Vec::new(),
            sysctls: Vec::new(),
            nesting: false,
            lxcfs: None,
            run_dir: PathBuf::from("/run/microcloud").join(tag).join(id),
            log_dir: PathBuf::from("/var/log/microcloud").join(tag).join(id),
            cgroup: format!("microcloud.payload/{tag}/{id}-{generation}"),
        }
    }

    /// The host's id of the container's root user and group.
    pub fn root_id(&self) -> u32 {
        self.idmap.map_or(0, |map| map.base)
    }

    /// The host's id of a user inside; `None` if it has none.
    pub fn host_uid(&self, id: u32) -> Option<u32> {
        self.host_id(id, |mapped| mapped.users)
    }

    /// The host's id of a group inside; `None` if it has none.
    pub fn host_gid(&self, id: u32) -> Option<u32> {
        self.host_id(id, |mapped| mapped.groups)
    }

    fn host_id(&self, id: u32, fits: impl Fn(&MappedIds) -> bool) -> Option<u32> {
        let Some(map) = self.idmap else { return Some(id) };
        let raw = self.raw_idmap.iter().filter(|mapped| fits(mapped)).find_map(|mapped| {
            let index = id.checked_sub(mapped.inside)?;
            (index < mapped.count).then(|| mapped.host + index)
        });
        raw.or_else(|| map.host(id))
    }

    /// Does its root equal the host's?
    pub fn privileged(&self) -> bool {
        self.idmap.is_none()
    }

    /// Is it told which devices it may open? Otherwise it has no nodes but those it was given.
    pub fn filters_devices(&self) -> bool {
        self.privileged() || self.seccomp.intercept.brings_nodes()
    }
}

/// Which system calls are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seccomp {
    /// Is there any filter?
    pub enabled: bool,
    /// If not empty: refuse all but these calls.
    pub allow: Vec<String>,
    /// Refuse these calls too.
    pub deny: Vec<String>,
    /// Refuse every call of a foreign ABI (32-bit programs).
    pub deny_compat: bool,
    /// Refuse the calls that no container should make (module loading, kexec, ...).
    pub deny_default: bool,
    /// Refuse to unmount with force, where the calls that no container should make are not refused anyway.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_forced_umount: bool,
    /// Calls that are done in the container's stead.
    #[serde(skip_serializing_if = "is_nothing")]
    pub intercept: Intercept,
}

fn is_nothing(intercept: &Intercept) -> bool {
    !intercept.any()
}

impl Default for Seccomp {
    fn default() -> Self {
        Seccomp {
            enabled: true,
            allow: Vec::new(),
            deny: Vec::new(),
            deny_compat: false,
            deny_default: true,
            no_forced_umount: false,
            intercept: Intercept::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_ids_go_before_the_map() {
        let root = Root::Dir { path: "/r".into() };
        let mut spec = InstanceSpec::new("tag", "default_c1", 1, root, Process::init("/sbin/init"));
        let users = MappedIds { users: true, groups: false, host: 1000, inside: 500, count: 2 };
        spec.raw_idmap = vec![users];
        assert_eq!(spec.host_uid(499), Some(1_000_499));
        assert_eq!(spec.host_uid(501), Some(1001));
        assert_eq!(spec.host_uid(502), Some(1_000_502));
        assert_eq!(spec.host_gid(501), Some(1_000_501));
        assert_eq!(spec.host_uid(65_536), None);
        spec.idmap = None;
        assert_eq!(spec.host_uid(70_000), Some(70_000));
    }
}
