//! From options and devices to what runs: the specification a monitor is given. Pure.

use std::path::PathBuf;

use options::{
    CpuAllowance, CpuLimit as Cpus, IdmapEntry, IdmapSide,
    instance::{InstanceOptions, Limits as LimitOptions, MemoryEnforce},
};
use spec::{
    CpuLimit, DeviceNode, IdMap, InstanceSpec, Intercept, InterceptMount, Limits, MappedIds, Mount,
    Process, Rlimit, Root, Seccomp,
};
use storage::Attached;

use super::options::Typed;
use crate::{Error, Host, Result};

/// What the specification is made from besides the instance's options.
pub(crate) struct Given<'a> {
    pub(crate) tag: &'a str,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) generation: u64,
    pub(crate) host: &'a Host,
    pub(crate) root: Attached,
    pub(crate) run_dir: PathBuf,
    pub(crate) log_dir: PathBuf,
    pub(crate) apparmor: Option<String>,
    pub(crate) idmap: IdMap,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) devices: Vec<DeviceNode>,
}

/// The specification of a container.
pub(crate) fn resolve(given: Given<'_>, typed: &Typed) -> InstanceSpec {
    let options = &typed.options;
    let root = root(given.root);
    let mut process = Process::init("/sbin/init");
    process.env.extend(options.environment.iter().map(|(k, v)| (k.clone(), v.clone())));
    let stop_signal = stop_signal(&root).unwrap_or_else(|| process.stop_signal());
    let privileged = options.security.privileged;
    InstanceSpec {
        hostname: given.name.to_owned(),
        idmap: (!privileged).then_some(given.idmap),
        raw_idmap: raw_idmap(options),
        mounts: given.mounts,
        devices: given.devices,
        seccomp: seccomp(options),
        limits: limits(&options.limits, given.host, given.id),
        rlimits: rlimits(&options.limits),
        sysctls: options.sysctl.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        nesting: options.security.nesting,
        lxcfs: given.host.lxcfs.clone(),
        apparmor: given.apparmor,
        stop_signal,
        run_dir: given.run_dir,
        log_dir: given.log_dir,
        ..InstanceSpec::new(given.tag, given.id, given.generation, root, process)
    }
}

/// The host's ids that an instance sees under numbers of its choice.
fn raw_idmap(options: &InstanceOptions) -> Vec<MappedIds> {
    let lines = options.overrides.idmap.as_deref().unwrap_or_default();
    let mapped = |entry: &IdmapEntry| MappedIds {
        users: entry.side != IdmapSide::Groups,
        groups: entry.side != IdmapSide::Users,
        host: entry.host.first,
        inside: entry.guest.first,
        count: u32::try_from(entry.host.count()).unwrap_or(u32::MAX),
    };
    lines.iter().map(mapped).collect()
}

/// What an instance may use, as its options say.
pub(crate) fn limits(options: &LimitOptions, host: &Host, id: &str) -> Limits {
    let memory = options.memory.map(|limit| limit.bytes(host.memory));
    let soft = options.memory_enforce == MemoryEnforce::Soft;
    Limits {
        memory: memory.filter(|_| !soft),
        memory_soft: memory.filter(|_| soft),
        memory_swap: memory.map(|_| options.memory_swap),
        cpus: cpus(options, host, id),
        processes: options.processes,
        disk_weight: options.disk_priority.map(disk_weight),
        hugepages: options.hugepages(),
    }
}

/// What the kernel gives everybody is in the middle, as who says nothing has that.
fn disk_weight(priority: options::Weight) -> u32 {
    u32::try_from(priority.get()).map_or(100, |priority| (20 * priority).max(10))
}

/// A count of processors becomes a set: consecutive ones from a place that the instance's id
/// decides, so that instances spread without being moved when others come and go, and programs
/// inside count the right number.
fn cpus(options: &LimitOptions, host: &Host, id: &str) -> Option<CpuLimit> {
    let mut limit = CpuLimit::default();
    let there = cpus_of_nodes(options, host);
    match &options.cpu {
        Some(Cpus::Count(count)) if (*count as usize) < there.len() => {
            limit.set = Some(list(&pick(&there, *count as usize, id)));
        }
        Some(Cpus::Set(set)) => limit.set = Some(set.to_string()),
        _ if options.cpu_nodes.is_some() => limit.set = Some(list(&there)),
        _ => {}
    }
    match options.cpu_allowance {
        Some(CpuAllowance::Percent(percent)) => limit.weight = Some(percent.clamp(1, 10_000)),
        Some(CpuAllowance::Time { quota, period }) => {
            limit.quota = Some((micros(quota), micros(period)));
        }
        None => {}
    }
    (limit != CpuLimit::default()).then_some(limit)
}

/// The processors of the nodes that an instance may run on; all where it has none of them.
pub(crate) fn cpus_of_nodes(options: &LimitOptions, host: &Host) -> Vec<u32> {
    let Some(nodes) = &options.cpu_nodes else { return host.cpus.clone() };
    let mut there: Vec<u32> =
        nodes.ids().filter_map(|node| host.nodes.get(&node)).flatten().copied().collect();
    there.sort_unstable();
    if there.is_empty() { host.cpus.clone() } else { there }
}

/// Fails when an instance is to run on a node that is not here.
pub(crate) fn check_nodes(options: &LimitOptions, host: &Host) -> Result<()> {
    let absent = |node: &u32| !host.nodes.contains_key(node);
    match options.cpu_nodes.iter().flat_map(::options::CpuSet::ids).find(absent) {
        None => Ok(()),
        Some(node) => {
            let here: Vec<u32> = host.nodes.keys().copied().collect();
            let why = format!("node {node} is not here; there are {}", list(&here));
            Err(Error::invalid("limits.cpu.nodes", why))
        }
    }
}

/// `count` of the processors, from a place that `id` decides.
pub(crate) fn pick(cpus: &[u32], count: usize, id: &str) -> Vec<u32> {
    let start =
        id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let mut set: Vec<u32> =
        cpus.iter().cycle().skip(start % cpus.len()).take(count).copied().collect();
    set.sort_unstable();
    set
}

/// A set as the kernel reads it.
pub(crate) fn list(set: &[u32]) -> String {
    set.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn rlimits(options: &LimitOptions) -> Vec<Rlimit> {
    let limit = |(name, limit): (&String, &options::KernelLimit)| Rlimit {
        name: name.clone(),
        soft: limit.soft,
        hard: limit.hard,
    };
    options.kernel.iter().map(limit).collect()
}

fn seccomp(options: &InstanceOptions) -> Seccomp {
    let calls = &options.security.syscalls;
    if let Some(profile) = &options.overrides.seccomp {
        let none = Vec::new();
        let (allow, deny) = match profile.allows {
            true => (profile.calls.clone(), none),
            false => (none, profile.calls.clone()),
        };
        let no_forced_umount = profile.no_forced_umount;
        let (deny_compat, deny_default) = (false, false);
        let intercept = Intercept::default();
        return Seccomp {
            enabled: true,
            allow,
            deny,
            deny_compat,
            deny_default,
            no_forced_umount,
            intercept,
        };
    }
    Seccomp {
        enabled: true,
        allow: calls.allow.as_ref().map(|lines| lines.0.clone()).unwrap_or_default(),
        deny: calls.deny.as_ref().map(|lines| lines.0.clone()).unwrap_or_default(),
        deny_compat: calls.deny_compat,
        deny_default: calls.deny_default,
        no_forced_umount: false,
        intercept: intercept(&calls.intercept),
    }
}

fn intercept(options: &options::instance::Intercept) -> Intercept {
    let mount = || InterceptMount {
        allowed: options
            .mount_allowed
            .iter()
            .flat_map(|list| list.iter())
            .map(|name| name.to_string())
            .collect(),
        fuse: options
            .mount_fuse
            .iter()
            .flat_map(|list| list.iter())
            .map(|fuse| (fuse.file_system.to_string(), fuse.program.clone()))
            .collect(),
        shift: options.mount_shift,
    };
    Intercept {
        mknod: options.mknod,
        setxattr: options.setxattr,
        sysinfo: options.sysinfo,
        sched_setscheduler: options.sched_setscheduler,
        device_filters: options.bpf && options.bpf_devices,
        mount: options.mount.then(mount),
    }
}

fn root(attached: Attached) -> Root {
    match attached {
        Attached::Overlay { lower, upper, work } => Root::Overlay { lower, upper, work },
        Attached::Path(path) | Attached::Block(path) => Root::Dir { path },
    }
}

/// The signal that busybox' init takes as "power off"; it knows systemd's not.
fn stop_signal(root: &Root) -> Option<i32> {
    const SIGUSR2: i32 = 12;
    let layers = match root {
        Root::Dir { path } => vec![path],
        Root::Overlay { lower, upper, .. } => std::iter::once(upper).chain(lower).collect(),
    };
    let init = layers.iter().find_map(|layer| std::fs::read_link(layer.join("sbin/init")).ok())?;
    (init.file_name()? == "busybox").then_some(SIGUSR2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_processors_is_a_set_of_that_many() {
        for id in ["default_a", "default_b", "x"] {
            let set = pick(&[0, 1, 2, 5], 3, id);
            assert_eq!(set.len(), 3, "{set:?}");
        }
    }
}
