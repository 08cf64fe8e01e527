use std::collections::BTreeMap;

use options::{Options, ProjectOptions, Raw, device::Devices};

use super::{
    Looked,
    devices::{Above, allowed_above},
    restrictions,
};
use crate::{
    expand::Expanded,
    instances::{Kind, options::Typed},
};

fn rules(pairs: &[(&str, &str)]) -> options::project::Restricted {
    let mut raw = Raw::from([("restricted", "true")]);
    pairs.iter().for_each(|(key, value)| raw.set(*key, *value));
    ProjectOptions::parse(&raw).unwrap().restricted
}

fn instance(kind: Kind, pairs: &[(&str, &str)], device: &[(&str, &str)]) -> Looked {
    let mut config = Raw::default();
    pairs.iter().for_each(|(key, value)| config.set(*key, *value));
    let mut devices = Devices::default();
    if !device.is_empty() {
        let mut raw = Raw::default();
        device.iter().for_each(|(key, value)| raw.set(*key, *value));
        devices = Devices(BTreeMap::from([(String::from("it"), raw)]));
    }
    let expanded = Expanded { config, devices };
    let typed = Typed::parse(&expanded).unwrap();
    Looked { id: 1, name: String::from("web"), kind, expanded, typed }
}

/// What keeps a container with these options out, if anything does.
fn verdict(allowed: &[(&str, &str)], config: &[(&str, &str)]) -> Option<String> {
    restrictions::check(&rules(allowed), &instance(Kind::Container, config, &[])).err()
}

fn device(allowed: &[(&str, &str)], device: &[(&str, &str)]) -> Option<String> {
    restrictions::check(&rules(allowed), &instance(Kind::Container, &[], device)).err()
}

#[test]
fn what_reaches_out_of_a_container_is_kept_out_unless_it_is_allowed() {
    assert_eq!(verdict(&[], &[("limits.cpu", "1")]), None);
    let cases = [
        ("security.privileged", "true", "restricted.containers.privilege", "allow"),
        ("security.nesting", "true", "restricted.containers.nesting", "allow"),
        ("raw.apparmor", "file,", "restricted.containers.lowlevel", "allow"),
        ("security.syscalls.deny_default", "false", "restricted.containers.lowlevel", "allow"),
        ("volatile.idmap.base", "0", "restricted.containers.lowlevel", "allow"),
        ("raw.idmap", "both 0 0", "restricted.containers.lowlevel", "allow"),
    ];
    for (key, value, by, allow) in cases {
        let why = verdict(&[], &[(key, value)]).unwrap_or_else(|| panic!("{key} passed"));
        assert!(why.contains(key), "{why}");
        assert_eq!(verdict(&[(by, allow)], &[(key, value)]), None, "{key}");
    }
}

#[test]
fn ids_of_the_host_may_be_mapped_where_they_are_named() {
    let named = [("restricted.idmap.uid", "1000-1001"), ("restricted.idmap.gid", "1000")];
    assert_eq!(verdict(&named, &[("raw.idmap", "uid 1001 5\ngid 1000 5")]), None);
    let why = verdict(&named, &[("raw.idmap", "both 1001 5")]).unwrap();
    assert!(why.contains("restricted.idmap.gid"), "{why}");
    // Named ids are all there are, whatever else is allowed.
    let wide = [("restricted.containers.lowlevel", "allow"), ("restricted.idmap.uid", "1000")];
    assert!(verdict(&wide, &[("raw.idmap", "uid 0 0")]).is_some());
}

#[test]
fn isolation_can_be_asked_for() {
    let isolated = [("restricted.containers.privilege", "isolated")];
    assert!(verdict(&isolated, &[]).is_some());
    let own = [("security.idmap.isolated", "true"), ("volatile.idmap.base", "1000000")];
    assert_eq!(verdict(&isolated, &own), None);
}

#[test]
fn disks_and_cards_are_the_servers_own_unless_it_is_allowed() {
    let host = [("type", "disk"), ("path", "/mnt"), ("source", "/srv/media/films")];
    let volume = [("type", "disk"), ("path", "/mnt"), ("pool", "p"), ("source", "v")];
    let root = [("type", "disk"), ("path", "/"), ("pool", "p")];
    let block = [("restricted.devices.disk", "block")];
    assert!(device(&[], &host).is_some() && device(&[], &volume).is_none());
    assert!(device(&block, &volume).is_some() && device(&block, &root).is_none());
    let paths =
        |paths| [("restricted.devices.disk", "allow"), ("restricted.devices.disk.paths", paths)];
    assert_eq!(device(&paths("/home,/srv/media"), &host), None);
    assert!(device(&paths("/srv/med"), &host).is_some());

    let bridge = [("type", "nic"), ("nictype", "bridged"), ("parent", "br0")];
    let network = [("type", "nic"), ("network", "lan")];
    assert!(device(&[], &bridge).is_some() && device(&[], &network).is_none());
    let access = [("restricted.devices.nic", "allow"), ("restricted.networks.access", "wan")];
    assert!(device(&access, &bridge).is_some() && device(&access, &network).is_some());
}

#[test]
fn what_is_the_servers_is_kept_unless_it_is_allowed() {
    let devices: [(&str, &[(&str, &str)]); 4] = [
        ("unix-char", &[("type", "unix-char"), ("path", "/dev/kmsg")]),
        ("unix-block", &[("type", "unix-block"), ("path", "/dev/sda")]),
        ("unix-hotplug", &[("type", "unix-hotplug"), ("subsystem", "tty")]),
        (
            "proxy",
            &[("type", "proxy"), ("listen", "tcp:0.0.0.0:80"), ("connect", "tcp:0.0.0.0:80")],
        ),
    ];
    for (kind, options) in devices {
        let key = format!("restricted.devices.{kind}");
        assert!(device(&[], options).is_some_and(|why| why.contains(&key)), "{kind}");
        assert_eq!(device(&[(key.as_str(), "allow")], options), None);
    }
}

#[test]
fn a_path_that_climbs_lies_nowhere() {
    let rules =
        rules(&[("restricted.devices.disk", "allow"), ("restricted.devices.disk.paths", "/srv")]);
    assert_eq!(allowed_above(&rules, "/srv/x"), Above::Folder("/srv".into()));
    assert_eq!(allowed_above(&rules, "/srv/../etc"), Above::Nowhere);
}
