//! Creation, repair, removal.

use rtnetlink::{LinkBridge, LinkVeth};

use super::{
    network,
    world::{Guest, alone, have, sh},
};
use crate::{Change, Error, Kind, Plane, bridge::Address, netlink};

#[test]
fn applying_twice_changes_nothing() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let spec = network(dir.path(), "br0", 1);
        let first = plane.apply(&spec).await.unwrap();
        assert!(first.changes.contains(&Change::Table));
        assert_eq!(first.ipv4.unwrap().to_string(), "10.77.1.1/24");
        assert_eq!(plane.apply(&spec).await.unwrap().changes, []);
        let link = plane.state("br0").await.unwrap().unwrap();
        assert_eq!((link.enabled, link.mtu, link.hwaddr), (true, 1500, Some(first.hwaddr)));
        assert_eq!(link.addresses.len(), 3, "one, one, and one link-local: {:?}", link.addresses);
    });
}

#[test]
fn what_was_destroyed_by_hand_is_repaired() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let spec = network(dir.path(), "br0", 1);
        plane.apply(&spec).await.unwrap();
        let handle = netlink::connect().unwrap();
        for harm in ["link", "rules", "table", "address", "forwarding", "down"] {
            match harm {
                "link" => netlink::delete_link(&handle, "br0").await.unwrap(),
                "rules" => drop(sh("nft flush table inet microcloud_law_br0").await),
                "table" => drop(sh("nft delete table inet microcloud_law_br0").await),
                "address" => drop(sh("busybox ip addr flush dev br0").await),
                "forwarding" => std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap(),
                _ => drop(sh("busybox ip link set br0 down").await),
            }
            assert_ne!(plane.apply(&spec).await.unwrap().changes, [], "{harm} was noticed");
            assert_eq!(plane.apply(&spec).await.unwrap().changes, [], "{harm} was repaired");
        }
    });
}

#[test]
fn teardown_leaves_nothing_and_may_run_twice() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let spec = network(dir.path(), "br0", 1);
        let before = plane.facts().await.unwrap();
        plane.apply(&spec).await.unwrap();
        plane.teardown(&spec).await.unwrap();
        let after = plane.facts().await.unwrap();
        assert_eq!(after.links, before.links);
        assert_eq!(after.firewall, before.firewall);
        plane.teardown(&spec).await.unwrap();
        plane.apply(&spec).await.unwrap();
        assert_eq!(plane.apply(&spec).await.unwrap().changes, [], "and it can come back");
    });
}

#[test]
fn two_networks_and_two_daemons_live_side_by_side() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (Plane::new("one").unwrap(), Plane::new("two").unwrap());
        let specs = [network(dir.path(), "br0", 1), network(dir.path(), "br1", 2)];
        one.apply(&specs[0]).await.unwrap();
        one.apply(&specs[1]).await.unwrap();
        let mut other = network(dir.path(), "br2", 3);
        other.name = "br0".into();
        other.state_dir = dir.path().join("other");
        two.apply(&other).await.unwrap();
        for spec in &specs {
            assert_eq!(one.apply(spec).await.unwrap().changes, []);
        }
        two.teardown(&other).await.unwrap();
        assert_eq!(one.apply(&specs[0]).await.unwrap().changes, [], "{:?}", one.facts().await);
    });
}

#[test]
fn a_link_of_somebody_else_is_left_alone() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let handle = netlink::connect().unwrap();
        let pair = LinkVeth::new("br0", "other").build();
        netlink::add_link(&handle, "br0", pair).await.unwrap();
        netlink::add_link(&handle, "br1", LinkBridge::new("br1").build()).await.unwrap();
        for name in ["br0", "br1"] {
            let spec = network(dir.path(), name, 1);
            let error = plane.apply(&spec).await.unwrap_err();
            assert!(matches!(error, Error::Taken { .. }), "{error}");
            plane.teardown(&spec).await.unwrap();
            assert!(plane.state(name).await.unwrap().is_some(), "{name} is still there");
        }
    });
}

#[test]
fn auto_picks_once_and_keeps_it() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let mut spec = network(dir.path(), "br0", 1);
        let Kind::Bridge(bridge) = &mut spec.kind;
        bridge.ipv4.as_mut().unwrap().address = Address::Auto;
        bridge.ipv6.as_mut().unwrap().address = Address::Auto;
        let first = plane.apply(&spec).await.unwrap();
        let second = plane.apply(&spec).await.unwrap();
        assert!(first.ipv4.is_some() && first.ipv6.is_some());
        assert_eq!((first.ipv4, first.ipv6), (second.ipv4, second.ipv6));
        assert_eq!(second.changes, []);
    });
}

#[test]
fn changed_settings_are_applied_live() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let mut spec = network(dir.path(), "br0", 5);
        let Kind::Bridge(bridge) = &mut spec.kind;
        bridge.mtu = Some(1400);
        bridge.ipv4.as_mut().unwrap().nat = false;
        bridge.ipv4.as_mut().unwrap().routes = vec!["10.99.0.0/24".parse().unwrap()];
        plane.apply(&spec).await.unwrap();
        assert_eq!(plane.apply(&spec).await.unwrap().changes, []);
        let link = plane.state("br0").await.unwrap().unwrap();
        assert_eq!((link.mtu, link.addresses.len()), (1400, 3));
        assert!(sh("busybox ip route").await.contains("10.99.0.0/24 dev br0"));
        let guest = Guest::on(&plane, "br0", 1).await;
        assert!(guest.dhcp(dir.path()).await.contains("router=10.77.5.1"), "the servers moved too");
        assert!(guest.sh("busybox ip link show eth0").await.contains("mtu 1400"));
    });
}
