//! What a guest sees: an address, a router, names.

use std::time::{Duration, Instant};

use super::{
    network,
    world::{Guest, alone, have},
};
use crate::{Host, Interface, NetnsView, Plane, netlink};

fn host(guest: &Guest, name: &str, ipv4: Option<&str>) -> Host {
    let ipv4 = ipv4.map(|text| text.parse().unwrap());
    Host { name: name.into(), hwaddr: guest.mac, ipv4, ipv6: None }
}

#[test]
fn a_port_is_born_in_the_guest_and_goes_without_trace() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let inside = guest.links();
        let eth0 = inside.iter().find(|link| link.name == "eth0").unwrap();
        assert_eq!((eth0.hwaddr, eth0.mtu, eth0.up), (Some(guest.mac), 1500, true));
        let outside = plane.state("veth1").await.unwrap().unwrap();
        let bridge = plane.state("br0").await.unwrap().unwrap();
        assert_eq!((outside.up, outside.master), (true, Some(bridge.index)));
        assert_eq!(outside.hwaddr.unwrap().0[0], 0xfe, "too high for a bridge to take over");
        assert!(
            plane.attach_port(&guest.port(Some("br0"), "veth1"), guest.inside()).await.is_err(),
            "taken"
        );
        assert!(
            plane.attach_port(&guest.port(Some("none"), "veth9"), guest.inside()).await.is_err(),
            "no bridge"
        );
        assert!(plane.port_counters("veth1").await.unwrap().is_some());
        plane.detach_port("veth1").await.unwrap();
        plane.detach_port("veth1").await.unwrap();
        let left = guest.links();
        assert_eq!(left.len(), 1, "only loopback");
    });
}

#[test]
fn attaching_a_port_is_quick() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        plane.detach_port("veth1").await.unwrap();
        let mut best = Duration::MAX;
        for _ in 0..20 {
            let start = Instant::now();
            plane.attach_port(&guest.port(Some("br0"), "veth1"), guest.inside()).await.unwrap();
            best = best.min(start.elapsed());
            plane.detach_port("veth1").await.unwrap();
        }
        eprintln!("attach_port: {best:?} at best");
        assert!(best < Duration::from_millis(20), "{best:?}");
        let start = Instant::now();
        for _ in 0..100 {
            guest.links();
        }
        let each = start.elapsed() / 100;
        eprintln!("a new view: {each:?} on average");
        assert!(each < Duration::from_millis(20), "{each:?}");
    });
}

#[test]
fn a_view_that_stays_open_sees_what_becomes_of_the_guest() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let mut view = NetnsView::open(guest.netns.try_clone().unwrap()).unwrap();
        let mut seen = || {
            // Announcements of the router change a guest at any time, between two looks as well.
            for _ in 0..100 {
                let links = view.interfaces().unwrap().to_vec();
                if links == guest.links() {
                    return links;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            panic!("{:?}\nis not what a new view sees:\n{:?}", view.interfaces(), guest.links());
        };
        let eth0 = |links: Vec<Interface>| links.into_iter().find(|link| link.name == "eth0");
        let before = eth0(seen()).unwrap();
        guest.sh("busybox ip addr add 10.77.1.11/24 dev eth0").await;
        let addressed = eth0(seen()).unwrap();
        let address = addressed.addresses.iter().map(|one| one.address.to_string());
        assert!(address.into_iter().any(|text| text == "10.77.1.11"), "{addressed:?}");
        assert!(guest.sh("busybox ping -c2 -W1 10.77.1.1").await.contains("bytes from"));
        // What is still on its way arrives.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let counted = eth0(seen()).unwrap().counters;
        assert!(counted.packets_sent >= before.counters.packets_sent + 2, "{counted:?}");
        assert!(counted.bytes_received > before.counters.bytes_received, "{counted:?}");
        // More news than are kept.
        let many = "for i in $(busybox seq 300); do busybox ip addr add 10.78.$((i/250)).$((i%250+1))/32 dev eth0; done";
        guest.sh(many).await;
        let eth0_now = eth0(seen()).unwrap();
        let added =
            eth0_now.addresses.iter().filter(|one| one.address.to_string().starts_with("10.78."));
        assert_eq!(added.count(), 300);
        guest.sh("busybox ip link set eth0 down").await;
        assert!(!eth0(seen()).unwrap().up);
        plane.detach_port("veth1").await.unwrap();
        assert!(eth0(seen()).is_none());
        let start = Instant::now();
        for _ in 0..1000 {
            view.interfaces().unwrap();
        }
        eprintln!("a look through an open view: {:?} on average", start.elapsed() / 1000);
    });
}

#[test]
fn a_guest_gets_an_address_and_keeps_it_over_a_restart() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let spec = network(dir.path(), "br0", 1);
        let plane = Plane::new("law").unwrap();
        plane.apply(&spec).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let got = guest.dhcp(dir.path()).await;
        assert!(got.contains("/24 router=10.77.1.1 dns=10.77.1.1 domain=lxd"), "{got}");
        assert!(guest.sh("busybox ping -c3 -W1 10.77.1.1").await.contains("bytes from"));

        let leased = |plane: &Plane| {
            let leases = plane.leases("br0").into_iter();
            leases.filter(|lease| lease.hwaddr == Some(guest.mac)).collect::<Vec<_>>()
        };
        let before = leased(&plane);
        assert_eq!(before.len(), 1);
        assert!(got.contains(&before[0].address.to_string()));
        plane.stop().await;
        let again = Plane::new("law").unwrap();
        assert_eq!(again.apply(&spec).await.unwrap().changes, [], "the kernel's part stood");
        assert_eq!(leased(&again), before);
    });
}

#[test]
fn many_guests_at_once_get_an_address_each() {
    const GUESTS: u8 = 30;
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let mut guests = Vec::new();
        for last in 1..=GUESTS {
            guests.push(Guest::on(&plane, "br0", last).await);
        }
        let start = Instant::now();
        futures_util::future::join_all(guests.iter().map(|guest| guest.dhcp(dir.path()))).await;
        eprintln!("{GUESTS} guests got an address in {:?}", start.elapsed());
        let leases = plane.leases("br0").into_iter().filter(|lease| lease.expires.is_some());
        let mut addresses: Vec<_> = leases.map(|lease| lease.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), usize::from(GUESTS));
    });
}

#[test]
fn a_guest_comes_back_when_its_bridge_does() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let spec = network(dir.path(), "br0", 1);
        let plane = Plane::new("law").unwrap();
        plane.apply(&spec).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let before = guest.dhcp(dir.path()).await;
        netlink::delete_link(&netlink::connect().unwrap(), "br0").await.unwrap();
        plane.apply(&spec).await.unwrap();
        plane.rejoin_port(&guest.port(Some("br0"), "veth1"), "br0").await.unwrap();
        plane.rejoin_port(&guest.port(Some("br0"), "veth1"), "br0").await.unwrap();
        let got = |text: &str| text.lines().find(|line| line.starts_with("got")).map(str::to_owned);
        assert_eq!(got(&guest.dhcp(dir.path()).await), got(&before), "the servers moved over too");
        let none = guest.port(Some("br0"), "veth9");
        assert!(plane.rejoin_port(&none, "br0").await.is_err());
    });
}

#[test]
fn a_fixed_address_and_a_name_reach_the_guest() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        plane.set_hosts("br0", vec![host(&guest, "web", Some("10.77.1.200"))]);
        let got = guest.dhcp(dir.path()).await;
        assert!(got.contains("got 10.77.1.200/24") && got.contains("host=web"), "{got}");
    });
}

#[test]
fn a_guest_forms_an_ipv6_address_at_once() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        plane.set_hosts("br0", vec![host(&guest, "web", None)]);
        let want = guest.mac.in_prefix("fd42:77:1::1/64".parse().unwrap());
        let start = Instant::now();
        let formed = async || {
            let inside = guest.links();
            inside.iter().flat_map(|link| &link.addresses).any(|a| a.address == want)
        };
        while !formed().await {
            assert!(start.elapsed() < Duration::from_secs(8), "no address: {want}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eprintln!("address formed after {:?}", start.elapsed());
        let routes = guest.sh("busybox ip -6 route").await;
        assert!(routes.contains("default via fe80::"), "{routes}");
        while !plane.leases("br0").iter().any(|lease| lease.address == want) {
            assert!(start.elapsed() < Duration::from_secs(15), "the address was not found");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        plane.stop().await;
        let again = Plane::new("law").unwrap();
        again.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        again.set_hosts("br0", vec![host(&guest, "web", None)]);
        let start = Instant::now();
        while !again.leases("br0").iter().any(|lease| lease.address == want) {
            assert!(start.elapsed() < Duration::from_secs(5), "not found again after a restart");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn guests_are_isolated_when_asked() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guests = [Guest::on(&plane, "br0", 1).await, Guest::on(&plane, "br0", 2).await];
        for (last, guest) in guests.iter().enumerate() {
            let address = format!("busybox ip addr add 10.77.1.{}/24 dev eth0", 11 + last);
            guest.sh(&address).await;
        }
        let ping = "busybox ping -c3 -W1 10.77.1.12";
        assert!(guests[0].sh(ping).await.contains("bytes from"), "not isolated");
        for (name, guest) in [("veth1", &guests[0]), ("veth2", &guests[1])] {
            plane.detach_port(name).await.unwrap();
            let mut port = guest.port(Some("br0"), name);
            port.isolated = true;
            plane.attach_port(&port, guest.inside()).await.unwrap();
            let last = if name == "veth1" { 11 } else { 12 };
            let up = format!(
                "busybox ip link set eth0 up; busybox ip addr add 10.77.1.{last}/24 dev eth0"
            );
            guest.sh(&up).await;
        }
        assert!(!guests[0].sh(ping).await.contains("bytes from"), "isolated");
        let gateway = guests[0].sh("busybox ping -c3 -W1 10.77.1.1").await;
        assert!(gateway.contains("bytes from"), "the bridge is still there: {gateway}");
    });
}
