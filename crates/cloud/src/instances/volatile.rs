//! What the server remembers of an instance among its options: `volatile.*`.

use std::collections::BTreeMap;

use options::{
    Raw,
    device::Device,
    instance::{PowerState, Security, device_key},
};
use runtime::idmap::{Allocator, Range};
use sha2::{Digest, Sha256};
use spec::IdMap;
use uuid::Uuid;

use crate::{Host, Result, db::instances::Instance};

/// The first bytes of our MAC addresses: locally known as those of LXD's containers, so that
/// users' filters for them keep working.
const MAC_PREFIX: [u8; 3] = [0x00, 0x16, 0x3e];

/// Gives an instance what it must have: a UUID, and for each network device an address and a name
/// inside.
pub(crate) fn complete(config: &mut Raw, devices: &BTreeMap<String, Device>) {
    let uuid = Uuid::new_v4().to_string();
    config.set_default("volatile.uuid", uuid.clone());
    config.set_default("volatile.uuid.generation", uuid);
    config.set_default("volatile.cloud-init.instance-id", Uuid::new_v4().to_string());
    for (name, device) in devices {
        if device.nic().is_some_and(|nic| nic.hwaddr().is_none()) {
            config.set_default(&device_key(name, "hwaddr"), random_mac());
        }
        if device.nic().is_some_and(|nic| nic.name().is_none()) {
            let free = free_name(config, devices);
            config.set_default(&device_key(name, "name"), free);
        }
    }
}

/// The first of eth0, eth1, ... that no network device has inside.
fn free_name(config: &Raw, devices: &BTreeMap<String, Device>) -> String {
    let taken: Vec<&str> = devices
        .iter()
        .filter_map(|(device, parsed)| {
            parsed.nic()?.name().or_else(|| config.get(&device_key(device, "name")))
        })
        .collect();
    let mut names = (0_usize..).map(|number| format!("eth{number}"));
    names.find(|name| !taken.contains(&name.as_str())).unwrap_or_default()
}

/// Host ids of an isolated instance unless it asks for more.
pub(crate) const ISOLATED_IDS: u32 = 65_536;

/// Gives an instance host ids that no other isolated instance has.
pub(crate) fn isolate(
    config: &mut Raw,
    host: &Host,
    wanted: &Security,
    others: &[Instance],
) -> Result<()> {
    if config.has("volatile.idmap.base") {
        return Ok(());
    }
    let size = wanted.idmap_size.unwrap_or(ISOLATED_IDS);
    let mut taken = Vec::new();
    for other in others {
        let base = other.config.get("volatile.idmap.base").and_then(|base| base.parse().ok());
        let size = other.config.get("security.idmap.size").and_then(|size| size.parse().ok());
        let size = size.unwrap_or(ISOLATED_IDS);
        taken.extend(base.map(|base| Range::from(IdMap { base, size })));
    }
    let free = Allocator::new(&host.ids, taken);
    let map = match wanted.idmap_base {
        Some(base) => free.claim(IdMap { base, size })?,
        None => free.allocate(size)?,
    };
    config.set("volatile.idmap.base", map.base.to_string());
    Ok(())
}

/// Drops what belongs to devices that are gone.
pub(crate) fn prune(config: &mut Raw, devices: &BTreeMap<String, Device>) {
    config.retain(|key, _| {
        let Some(rest) = key.strip_prefix("volatile.") else { return true };
        let of_device = ["hwaddr", "name", "host_name", "apply_quota", "last_state.created"]
            .iter()
            .find_map(|what| rest.strip_suffix(what)?.strip_suffix('.'));
        of_device.is_none_or(|device| devices.contains_key(device))
    });
}

/// Forgets how the host's links were named.
pub(crate) fn forget_links(config: &mut Raw) {
    config.retain(|key, _| !is_link(key));
}

/// Takes over how the host's links are named.
pub(crate) fn keep_links(config: &mut Raw, from: &Raw) {
    forget_links(config);
    for key in from.keys().filter(|key| is_link(key)) {
        config.set(key, from.get(key).unwrap_or_default());
    }
}

fn is_link(key: &str) -> bool {
    key.starts_with("volatile.") && key.ends_with(".host_name")
}

/// Whether it ran when it was last heard of.
pub(crate) fn was_running(config: &Raw) -> bool {
    config.get("volatile.last_state.power") == Some(power_word(PowerState::Running))
}

/// Notes whether it runs.
pub(crate) fn set_power(config: &mut Raw, power: PowerState) {
    config.set("volatile.last_state.power", power_word(power));
    if power == PowerState::Stopped {
        config.remove(crate::devlxd::READY);
    }
}

fn power_word(power: PowerState) -> &'static str {
    match power {
        PowerState::Running => "RUNNING",
        _ => "STOPPED",
    }
}

/// The host's end of a network device: the same at each start, unlike that of any other device of
/// any instance of any daemon on the machine.
pub(crate) fn host_name(tag: &str, id: &str, device: &str) -> String {
    let digest = Sha256::digest(format!("{tag}/{id}/{device}"));
    format!("veth{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

fn random_mac() -> String {
    let [a, b, c] = MAC_PREFIX;
    let random = Uuid::new_v4();
    let [x, y, z, ..] = random.as_bytes();
    format!("{a:02x}:{b:02x}:{c:02x}:{x:02x}:{y:02x}:{z:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_removed_device_goes() {
        let mut config = Raw::from([
            ("volatile.eth0.hwaddr", "00:16:3e:00:00:01"),
            ("volatile.eth0.host_name", "veth1"),
            ("volatile.uuid", "x"),
            ("user.note", "y"),
        ]);
        prune(&mut config, &BTreeMap::new());
        assert_eq!(config, Raw::from([("volatile.uuid", "x"), ("user.note", "y")]));
    }

    #[test]
    fn a_link_is_named_within_the_kernels_limit() {
        assert!(host_name("0123abcd", "a_project_web", "eth0").len() <= 15);
        assert_ne!(host_name("t", "a_b", "eth0"), host_name("t", "a_b", "eth1"));
    }
}
