//! A guest with a filter on its port cannot pass for another.

use super::{
    network,
    world::{Guest, alone, have},
};
use crate::{Host, MacAddr, Plane, PortFilter};

async fn pair(plane: &Plane) -> [Guest; 2] {
    let guests = [Guest::on(plane, "br0", 1).await, Guest::on(plane, "br0", 2).await];
    for (last, guest) in guests.iter().enumerate() {
        guest.sh(&format!("busybox ip addr add 10.77.1.{}/24 dev eth0", 11 + last)).await;
    }
    guests
}

fn filter(guest: &Guest, ipv4: Option<&str>) -> PortFilter {
    PortFilter {
        host_name: "veth1".into(),
        hwaddr: guest.mac,
        ipv4: ipv4.map(|net| vec![net.parse().unwrap()]),
        ipv6: ipv4.map(|_| Vec::new()),
    }
}

const PING: &str = "busybox ping -c3 -W1 10.77.1.12";

#[test]
fn another_hardware_address_is_not_heard() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guests = pair(&plane).await;
        plane.filter_port(&filter(&guests[0], None)).await.unwrap();
        plane.filter_port(&filter(&guests[0], None)).await.unwrap();
        assert!(guests[0].sh(PING).await.contains("bytes from"), "as itself");
        guests[0].sh("busybox ip link set eth0 address 00:16:3e:99:99:99").await;
        assert!(!guests[0].sh(PING).await.contains("bytes from"), "as another");
        plane.unfilter_port("veth1").await.unwrap();
        plane.unfilter_port("veth1").await.unwrap();
        assert!(guests[0].sh(PING).await.contains("bytes from"), "without a filter");
    });
}

#[test]
fn another_ip_address_is_not_heard() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guests = pair(&plane).await;
        plane.filter_port(&filter(&guests[0], Some("10.77.1.11/32"))).await.unwrap();
        assert!(guests[0].sh(PING).await.contains("bytes from"), "as itself");
        let steal = "busybox ip addr flush dev eth0; busybox ip addr add 10.77.1.66/24 dev eth0";
        guests[0].sh(steal).await;
        assert!(!guests[0].sh(PING).await.contains("bytes from"), "as another");
    });
}

#[test]
fn a_filtered_guest_still_gets_its_lease_but_not_anothers() {
    if !have(&["busybox", "bash"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let victim = MacAddr([0, 0x16, 0x3e, 0x99, 0x99, 0x99]);
        let host = |name: &str, hwaddr, ipv4: Option<&str>| {
            let ipv4 = ipv4.map(|text| text.parse().unwrap());
            Host { name: name.into(), hwaddr, ipv4, ipv6: None }
        };
        let hosts = vec![host("web", guest.mac, Some("10.77.1.50")), host("victim", victim, None)];
        plane.set_hosts("br0", hosts);
        plane.filter_port(&filter(&guest, Some("10.77.1.50/32"))).await.unwrap();
        assert!(guest.dhcp(dir.path()).await.contains("got 10.77.1.50/24"), "its own");

        // A request in another's name, from the guest's own hardware address.
        let file = dir.path().join("forged");
        std::fs::write(&file, forged(victim.0)).unwrap();
        let send = format!("bash -c 'cat {} > /dev/udp/10.77.1.1/67'; sleep 0.2", file.display());
        let leased = || plane.leases("br0").iter().any(|lease| lease.hwaddr == Some(victim));
        assert_eq!(guest.sh(&send).await, "");
        assert!(!leased(), "not leased in another's name");
        plane.unfilter_port("veth1").await.unwrap();
        guest.sh(&send).await;
        assert!(leased(), "without a filter it is");
    });
}

/// A DHCPREQUEST with somebody's hardware address.
fn forged(mac: [u8; 6]) -> Vec<u8> {
    let mut bytes = vec![0; 240];
    bytes[..3].copy_from_slice(&[1, 1, 6]);
    bytes[28..34].copy_from_slice(&mac);
    bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
    bytes.extend([53, 1, 3, 50, 4, 10, 77, 1, 60, 255]);
    bytes
}
