//! Names: instances' own, and those that are relayed.

use std::net::Ipv4Addr;

use hickory_proto::{
    op::{Message, MessageType},
    rr::{RData, Record, rdata},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::{
    network,
    world::{Guest, alone, have, sh},
};
use crate::{Host, Plane, Warning};

/// A resolver of the host that gives every name the same address; truncated over UDP if it begins
/// with "long".
async fn resolver(address: &str) {
    let udp = UdpSocket::bind(address).await.unwrap();
    let tcp = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            udp.send_to(&reply(&buffer[..length], true), from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut query).await.unwrap();
            let reply = reply(&query, false);
            stream.write_u16(reply.len() as u16).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    });
}

fn reply(query: &[u8], udp: bool) -> Vec<u8> {
    let mut message = Message::from_vec(query).unwrap();
    message.metadata.message_type = MessageType::Response;
    let name = message.queries[0].name().clone();
    message.metadata.truncation = udp && name.to_ascii().starts_with("long");
    if !message.metadata.truncation {
        let data = RData::A(rdata::A(Ipv4Addr::new(192, 0, 2, 53)));
        message.add_answer(Record::from_rdata(name, 60, data));
    }
    message.to_vec().unwrap()
}

#[test]
fn guests_find_one_another_and_the_world_by_name() {
    if !have(&["busybox", "dig"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        // The first resolver is dead; the second answers.
        std::fs::write(
            dir.path().join("resolv.conf"),
            "nameserver 127.9.9.8\nnameserver 127.9.9.9\n",
        )
        .unwrap();
        resolver("127.9.9.9:53").await;
        let plane = Plane::new("law").unwrap();
        plane.apply(&network(dir.path(), "br0", 1)).await.unwrap();
        let guest = Guest::on(&plane, "br0", 1).await;
        let hwaddr = guest.mac;
        plane.set_hosts("br0", vec![Host { name: "web".into(), hwaddr, ipv4: None, ipv6: None }]);
        let got = guest.dhcp(dir.path()).await;
        let own = plane.leases("br0").iter().find(|l| l.hostname == "web").unwrap().address;
        assert!(got.contains(&own.to_string()));

        let near = "until busybox ip -6 addr show dev eth0 | grep -q 'inet6 fd42'";
        guest.sh(&format!("{near}; do sleep 0.1; done")).await;
        let dig = async |what: &str| {
            let answer = guest.sh(&format!("dig +time=3 +tries=1 +short {what}")).await;
            answer.trim().to_owned()
        };
        let own = own.to_string();
        assert_eq!(dig("@10.77.1.1 web.lxd").await, own);
        assert_eq!(dig("@10.77.1.1 WEB.lxd").await, own);
        assert_eq!(dig("@fd42:77:1::1 +tcp web.lxd").await, own);
        assert_eq!(dig(&format!("@10.77.1.1 -x {own}")).await, "web.lxd.");
        assert_eq!(dig("@10.77.1.1 example.org").await, "192.0.2.53");
        assert_eq!(dig("@10.77.1.1 long.example.org").await, "192.0.2.53", "by TCP");
        assert_eq!(dig("@10.77.1.1 nobody.lxd").await, "");
        let absent = guest.sh("dig +time=3 +tries=1 @10.77.1.1 nobody.lxd").await;
        assert!(absent.contains("status: NXDOMAIN"), "{absent}");
        assert_eq!(
            sh("dig +time=3 +tries=1 +short @10.77.1.1 web.lxd").await.trim(),
            own,
            "the host"
        );
    });
}

#[test]
fn strangers_are_not_served() {
    if !have(&["busybox", "dig"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let plane = Plane::new("law").unwrap();
        for (name, third) in [("br0", 1), ("br1", 2)] {
            plane.apply(&network(dir.path(), name, third)).await.unwrap();
        }
        let guest = Guest::on(&plane, "br1", 1).await;
        guest.dhcp(dir.path()).await;
        let asked = guest.sh("dig +time=1 +tries=1 @10.77.1.1 _gateway.lxd").await;
        assert!(!asked.contains("status:"), "the other network's server is silent: {asked}");
        let asked = guest.sh("dig +time=1 +tries=1 +short @10.77.2.1 _gateway.lxd").await;
        assert_eq!(asked.trim(), "10.77.2.1");
    });
}

#[test]
fn another_name_server_on_the_machine_does_not_stop_the_network() {
    if !have(&["busybox"]) {
        return;
    }
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let other = UdpSocket::bind("0.0.0.0:53").await.unwrap();
        let plane = Plane::new("law").unwrap();
        let spec = network(dir.path(), "br0", 1);
        let applied = plane.apply(&spec).await.unwrap();
        assert!(matches!(&applied.warnings[..], [Warning::Nameless { .. }]), "{applied:?}");
        let guest = Guest::on(&plane, "br0", 1).await;
        assert!(guest.dhcp(dir.path()).await.contains("router=10.77.1.1"), "the rest works");
        drop(other);
        assert_eq!(plane.apply(&spec).await.unwrap().warnings, []);
    });
}
