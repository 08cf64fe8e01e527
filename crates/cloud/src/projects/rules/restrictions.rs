//! What an instance of a restricted project may not be.

use options::{
    IdRange, IdmapEntry, IdmapSide, Raw,
    project::{Access, Interception, Privilege, Restricted},
};

use super::{Looked, devices};
use crate::instances::Kind;

/// Beside `raw.*`: keys that reach below what an instance is, by which kind has them.
const LOW_OF_CONTAINERS: [&str; 7] = [
    "boot.host_shutdown_timeout",
    "linux.kernel_modules",
    "linux.kernel_modules.load",
    "security.idmap.base",
    "security.idmap.size",
    "security.syscalls.deny_default",
    "volatile.idmap.base",
];
const LOW_OF_MACHINES: [&str; 2] = ["boot.host_shutdown_timeout", "limits.memory.hugepages"];

/// What harms others when a container can do it to a mount or a device of its choice.
const UNSAFE_INTERCEPTIONS: [&str; 4] = [
    "security.syscalls.intercept.bpf.devices",
    "security.syscalls.intercept.mount",
    "security.syscalls.intercept.mount.allowed",
    "security.syscalls.intercept.mount.shift",
];

type Verdict = Result<(), String>;

/// Fails with what is not allowed, and the key that says so.
pub(super) fn check(rules: &Restricted, one: &Looked) -> Verdict {
    match one.kind {
        Kind::Container => container(rules, one)?,
        Kind::VirtualMachine => machine(rules, &one.expanded.config)?,
    }
    devices::check(rules, &one.typed.devices)
}

fn container(rules: &Restricted, one: &Looked) -> Verdict {
    let (config, options) = (&one.expanded.config, &one.typed.options);
    privilege(
        rules.containers_privilege,
        options.security.privileged,
        options.security.idmap_isolated,
    )?;
    if rules.containers_nesting == Access::Block && options.security.nesting {
        return Err(blocked("security.nesting", "restricted.containers.nesting"));
    }
    let key = "restricted.containers.interception";
    let taken = on(config, "security.syscalls.intercept.");
    match rules.containers_interception {
        Interception::Full => Ok(()),
        Interception::Allow => first(taken, |key| UNSAFE_INTERCEPTIONS.contains(&key), key),
        Interception::Block => first(taken, |_| true, key),
    }?;
    if rules.containers_lowlevel == Access::Block {
        let low = |key: &str| {
            key.starts_with("raw.") && key != "raw.idmap" || LOW_OF_CONTAINERS.contains(&key)
        };
        // Ids of its own are given by the server; whoever is isolated has the key.
        let given = |key: &str| key == "volatile.idmap.base" && options.security.idmap_isolated;
        first(config.keys(), |key| low(key) && !given(key), "restricted.containers.lowlevel")?;
    }
    let entries = options.overrides.idmap.as_deref().unwrap_or_default();
    entries.iter().try_for_each(|entry| idmap(rules, entry))
}

fn machine(rules: &Restricted, config: &Raw) -> Verdict {
    if rules.virtual_machines_lowlevel == Access::Allow {
        return Ok(());
    }
    let low = |key: &str| key.starts_with("raw.") || LOW_OF_MACHINES.contains(&key);
    first(config.keys(), low, "restricted.virtual-machines.lowlevel")
}

fn privilege(allowed: Privilege, privileged: bool, isolated: bool) -> Verdict {
    let key = "restricted.containers.privilege";
    match allowed {
        Privilege::Allow => Ok(()),
        _ if privileged => Err(blocked("security.privileged", key)),
        Privilege::Isolated if !isolated => {
            Err(format!("security.idmap.isolated must be true: {key} is isolated"))
        }
        _ => Ok(()),
    }
}

/// Ids of the host that are named in ranges may be mapped, whatever else is allowed; none named, and it takes
/// `restricted.containers.lowlevel`.
fn idmap(rules: &Restricted, entry: &IdmapEntry) -> Verdict {
    let users = matches!(entry.side, IdmapSide::Users | IdmapSide::Both);
    let groups = matches!(entry.side, IdmapSide::Groups | IdmapSide::Both);
    let ranges = [
        (users, &rules.idmap_uid, "restricted.idmap.uid"),
        (groups, &rules.idmap_gid, "restricted.idmap.gid"),
    ];
    for (_, named, key) in ranges.into_iter().filter(|(wanted, ..)| *wanted) {
        let within =
            |range: &IdRange| range.contains(entry.host.first) && range.contains(entry.host.last);
        let fits = match named {
            Some(ranges) => ranges.0.iter().any(within),
            None => rules.containers_lowlevel == Access::Allow,
        };
        if !fits {
            let (first, last) = (entry.host.first, entry.host.last);
            return Err(format!("raw.idmap: {first}-{last} of the host is not in {key}"));
        }
    }
    Ok(())
}

/// Keys beneath a prefix that are not switched off.
fn on<'a>(config: &'a Raw, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let off = |value: &str| matches!(<bool as options::Value>::parse(value), Ok(false));
    config
        .iter()
        .filter(move |(key, value)| key.starts_with(prefix) && !value.is_empty() && !off(value))
        .map(|(key, _)| key)
}

fn first<'a>(
    mut keys: impl Iterator<Item = &'a str>,
    forbidden: impl Fn(&str) -> bool,
    by: &str,
) -> Verdict {
    keys.find(|key| forbidden(key)).map_or(Ok(()), |key| Err(blocked(key, by)))
}

/// The words for a key or a device that another key forbids.
pub(super) fn blocked(what: &str, by: &str) -> String {
    format!("{what} is not allowed by {by}")
}
