//! With the ISC client, which many guests use: DHCPv4, and DHCPv6 with addresses and without.

use super::{
    network,
    world::{Guest, alone, have},
};
use crate::{Host, Kind, NetworkSpec, Plane};

/// Runs the client in the foreground until it is bound; prints what it learned. The script ends it:
/// its own process id file comes too late to be relied on.
async fn dhclient(guest: &Guest, dir: &std::path::Path, options: &str) -> String {
    let script = dir.join("dhclient.sh");
    let print = "#!/bin/sh\necho reason=$reason v4=$new_ip_address/$new_subnet_mask \
                 dns=$new_domain_name_servers$new_dhcp6_name_servers name=$new_host_name \
                 v6=$new_ip6_address/$new_ip6_prefixlen search=$new_domain_search$new_dhcp6_domain_search \
                 server=$new_dhcp_server_identifier time=$new_dhcp_lease_time\ncase $reason in BOUND*) kill $PPID;; esac\n";
    std::fs::write(&script, print).unwrap();
    let dir = dir.display();
    guest
        .sh(&format!(
            "chmod +x {0}; until busybox ip -6 addr show dev eth0 scope link | grep -v tentative | \
             grep -q fe80; do sleep 0.1; done; timeout 15 dhclient {options} -1 -d -v -sf {0} -lf \
             {dir}/lf -pf {dir}/pid eth0 2>&1",
            script.display()
        ))
        .await
}

fn stateful(spec: &mut NetworkSpec) {
    let Kind::Bridge(bridge) = &mut spec.kind;
    bridge.ipv6.as_mut().unwrap().stateful = true;
}

#[test]
fn ipv4_address_and_settings() {
    if !have(&["dhclient"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let web = Host { name: "web".into(), hwaddr: guest.mac, ipv4: None, ipv6: None };
        plane.set_hosts("br0", vec![web]);
        let text = dhclient(&guest, dir.path(), "-4").await;
        let bound = text.lines().find(|line| line.starts_with("reason=BOUND")).unwrap_or(&text);
        for part in ["v4=10.77.1.", "/255.255.255.0", "dns=10.77.1.1", "name=web", "search=lxd"] {
            assert!(bound.contains(part), "{part} in {bound}");
        }
        assert!(bound.contains("server=10.77.1.1 time=3600"), "{bound}");
    });
}

#[test]
fn ipv6_settings_without_an_address() {
    if !have(&["dhclient"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let text = dhclient(&guest, dir.path(), "-6 -S").await;
        assert!(text.contains("dns=fd42:77:1::1") && text.contains("search=lxd"), "{text}");
    });
}

#[test]
fn ipv6_address_fixed_by_the_operator_or_from_the_pool() {
    if !have(&["dhclient"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        let mut spec = network(dir.path(), "br0", 1);
        stateful(&mut spec);
        plane.apply(&spec).await.unwrap();
        let fixed = Guest::on(&plane, "br0", 1).await;
        let ipv6 = Some("fd42:77:1::beef".parse().unwrap());
        let web = Host { name: "web".into(), hwaddr: fixed.mac, ipv4: None, ipv6 };
        plane.set_hosts("br0", vec![web]);
        let text = dhclient(&fixed, dir.path(), "-6").await;
        assert!(text.contains("reason=BOUND6") && text.contains("v6=fd42:77:1::beef/"), "{text}");
        std::fs::remove_file(dir.path().join("lf")).unwrap();
        let other = Guest::on(&plane, "br0", 2).await;
        let text = dhclient(&other, dir.path(), "-6").await;
        assert!(text.contains("v6=fd42:77:1:") && !text.contains("beef"), "{text}");
        let leases = plane.leases("br0");
        let v6 = leases.iter().filter(|lease| lease.address.is_ipv6()).count();
        assert_eq!(v6, 3, "bridge, fixed, leased: {leases:?}");
    });
}
