//! Parsing as a user notices it.

use crate::instance::{InstanceOptions, PowerState};
use crate::network::BridgeOptions;
use crate::project::{Features, ProjectOptions};
use crate::storage::DirPoolOptions;
use crate::{Config, CpuLimit, Options, Raw, Setting, Size};

fn messages<O: Options>(pairs: &[(&str, &str)]) -> Vec<String> {
    let raw: Raw = pairs.iter().copied().collect();
    O::parse(&raw).err().map(|p| p.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn an_empty_configuration_has_the_defaults() {
    let instance = InstanceOptions::parse(&Raw::new()).unwrap();
    assert_eq!(instance.limits.cpu_priority.get(), 10);
    assert!(instance.limits.memory_swap && !instance.security.privileged);
    assert!(instance.security.syscalls.deny_default);
    assert_eq!(instance.boot.autostart, None);
    let bridge = BridgeOptions::parse(&Raw::new()).unwrap();
    assert!(bridge.ipv4_address.is_none() && bridge.ipv4_dhcp && !bridge.ipv4_nat);
    assert_eq!(bridge.ipv4_dhcp_expiry.seconds(), 3600);
}

#[test]
fn all_problems_come_at_once() {
    let problems = messages::<InstanceOptions>(&[
        ("limits.cpu", "x"),
        ("limits.memory", "lots"),
        ("limit.cpu", "2"),
        ("security.nesting", "true"),
    ]);
    assert_eq!(
        problems,
        [
            r#"unknown key "limit.cpu": is "limits.cpu" meant?"#,
            r#"invalid value "x" for "limits.cpu": a number of CPUs or ranges such as 0-3 or 0,2,5-7"#,
            r#"invalid value "lots" for "limits.memory": a size above zero such as 512MiB or 2GiB, or a share of the memory such as 50%"#,
        ]
    );
}

#[test]
fn unknown_keys_say_what_can_be_said() {
    let problem = |key| messages::<InstanceOptions>(&[(key, "1")]).join("");
    assert_eq!(problem("color"), r#"unknown key "color""#);
    assert_eq!(problem("security.sev"), r#"key "security.sev" is not supported yet"#);
    assert_eq!(problem("volatile.vsock_id"), r#"key "volatile.vsock_id" is not supported yet"#);
    assert_eq!(
        problem("volatile.eth0.last_state.vf.id"),
        r#"key "volatile.eth0.last_state.vf.id" is not supported yet"#
    );
    assert_eq!(problem("user."), r#"unknown key "user.""#);
}

#[test]
fn families_are_maps_by_name() {
    let raw = Raw::from([
        ("environment.HTTP_PROXY", "http://proxy:3128"),
        ("user.note", "mine"),
        ("user.user-data", "#cloud-config"),
        ("limits.kernel.nofile", "1000:unlimited"),
        ("cloud-init.ssh-keys.me", "root:gh:me"),
        ("volatile.eth0.hwaddr", "00:16:3e:00:00:01"),
        ("volatile.eth0.100.host_name", "veth1"),
        ("volatile.eth0.last_state.hwaddr", "00:16:3e:00:00:02"),
        ("volatile.last_state.power", "RUNNING"),
    ]);
    let instance = InstanceOptions::parse(&raw).unwrap();
    assert_eq!(instance.environment["HTTP_PROXY"], "http://proxy:3128");
    assert_eq!(instance.user.keys().collect::<Vec<_>>(), ["note"]);
    assert_eq!(instance.cloud_init.user_data(), Some("#cloud-config"));
    assert_eq!(instance.cloud_init.ssh_keys["me"], "root:gh:me");
    assert_eq!(instance.limits.kernel["nofile"].soft, Some(1000));
    assert_eq!(instance.limits.kernel["nofile"].hard, None);
    assert_eq!(instance.volatile.hwaddr.keys().collect::<Vec<_>>(), ["eth0"]);
    assert_eq!(&*instance.volatile.host_name["eth0.100"], "veth1");
    assert_eq!(instance.volatile.last_state_hwaddr["eth0"].to_string(), "00:16:3e:00:00:02");
    assert_eq!(instance.volatile.last_state_power, Some(PowerState::Running));
}

#[test]
fn a_value_of_a_family_is_checked() {
    let problem = messages::<InstanceOptions>(&[("limits.kernel.nofile", "many")]).join("");
    assert!(
        problem.starts_with(r#"invalid value "many" for "limits.kernel.nofile": "#),
        "{problem}"
    );
    let problem = messages::<InstanceOptions>(&[("limits.kernel.files", "1")]).join("");
    assert!(problem.contains("no kernel limit") && problem.contains("nofile"), "{problem}");
}

#[test]
fn the_raw_map_stays_word_for_word() {
    let raw = Raw::from([("security.nesting", "yes"), ("limits.cpu", "1,0")]);
    let config = Config::<InstanceOptions>::parse(raw.clone()).unwrap();
    assert_eq!(config.raw, raw);
    assert!(config.security.nesting);
    assert!(matches!(&config.limits.cpu, Some(CpuLimit::Set(set)) if set.ids().eq([0, 1])));
}

#[test]
fn rules_across_keys() {
    let problems = messages::<InstanceOptions>(&[
        ("security.syscalls.allow", "read"),
        ("security.syscalls.deny", "mount"),
    ]);
    let conflict =
        r#""security.syscalls.allow" cannot be set together with security.syscalls.deny*"#;
    assert_eq!(problems, [conflict]);

    let problems = messages::<BridgeOptions>(&[
        ("ipv4.address", "10.0.0.0/24"),
        ("ipv4.dhcp.ranges", "10.0.1.2-10.0.1.9"),
        ("ipv6.dhcp.ranges", "fd42::2-fd42::9"),
    ]);
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(problems[0].contains("an address of the bridge in its subnet"), "{problems:#?}");
    assert!(problems[1].ends_with("ranges within 10.0.0.0/24"), "{problems:#?}");
    assert!(problems[2].ends_with("needs ipv6.dhcp.stateful"), "{problems:#?}");
}

#[test]
fn a_new_bridge_is_filled_in() {
    let mut raw = Raw::from([("ipv6.address", "none")]);
    BridgeOptions::fill_new(&mut raw);
    let expected = [("ipv4.address", "auto"), ("ipv4.nat", "true"), ("ipv6.address", "none")];
    assert_eq!(raw, Raw::from(expected));
    assert_eq!(BridgeOptions::parse(&raw).unwrap().ipv4_address, Setting::Auto);
}

#[test]
fn a_new_project_is_filled_in() {
    let mut raw = Raw::new();
    ProjectOptions::fill_initial(&mut raw);
    let project = ProjectOptions::parse(&raw).unwrap();
    assert!(project.features.images && project.features.profiles && !project.features.networks);
    let default = ProjectOptions::parse(&Features::of_default_project()).unwrap();
    assert!(default.features.networks && default.features.networks_zones);
}

#[test]
fn nested_keys_have_their_prefix() {
    let raw = Raw::from([("volume.size", "10GiB"), ("volume.user.a", "b"), ("user.a", "c")]);
    let pool = DirPoolOptions::parse(&raw).unwrap();
    assert_eq!(pool.volume.size, Some(Size(10 << 30)));
    assert_eq!((pool.volume.user["a"].as_str(), pool.user["a"].as_str()), ("b", "c"));
    let problem = messages::<DirPoolOptions>(&[("volume.size", "big")]).join("");
    assert!(problem.starts_with(r#"invalid value "big" for "volume.size": "#), "{problem}");
    let problem = messages::<DirPoolOptions>(&[("volume.sise", "1")]).join("");
    assert!(problem.ends_with(r#"is "volume.size" meant?"#), "{problem}");
}

#[test]
fn profiles_remember_nothing() {
    let raw = Raw::from([("limits.cpu", "2"), ("volatile.uuid", "x")]);
    let problem = InstanceOptions::parse_profile(&raw).unwrap_err().to_string();
    assert_eq!(problem, r#""volatile.uuid" belongs to one instance, not to a profile"#);
    assert!(InstanceOptions::parse_profile(&Raw::from([("limits.cpu", "2")])).is_ok());
}

#[test]
fn changes_say_when_they_apply() {
    let old = Raw::from([("limits.cpu", "1"), ("user.a", "1"), ("security.nesting", "")]);
    let new = Raw::from([("limits.cpu", "2"), ("user.a", "1")]);
    let changes = InstanceOptions::changes(&old, &new);
    assert!(changes.all_live() && changes.has("limits.cpu") && changes.keys.len() == 1);

    let nested = new.merged(&Raw::from([("security.nesting", "true")]));
    let changes = InstanceOptions::changes(&new, &nested);
    assert!(!changes.all_live() && changes.has_under("security."));
    assert_eq!(changes.need_restart().count(), 1);

    let moved = DirPoolOptions::changes(&Raw::new(), &Raw::from([("source", "/elsewhere")]));
    assert_eq!(moved.forbidden().map(|c| c.key.as_str()).collect::<Vec<_>>(), ["source"]);
}
