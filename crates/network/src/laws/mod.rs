//! What every network driver must keep, on a real kernel: each law runs in a network namespace of its
//! own, so that it touches neither the machine nor another law.

mod dhclient;
mod docker;
mod filters;
mod guests;
mod hosts;
mod repair;
mod world;

use crate::{
    Kind, NetworkSpec,
    bridge::{Address, BridgeSpec, Ipv4Spec, Ipv6Spec},
};

/// A network with everything on, at a fixed subnet.
fn network(dir: &std::path::Path, name: &str, third: u8) -> NetworkSpec {
    let mut bridge = BridgeSpec {
        ipv4: Some(Ipv4Spec {
            address: Address::Fixed(format!("10.77.{third}.1/24").parse().unwrap()),
            nat: true,
            ..Ipv4Spec::default()
        }),
        ipv6: Some(Ipv6Spec {
            address: Address::Fixed(format!("fd42:77:{third}::1/64").parse().unwrap()),
            nat: true,
            ..Ipv6Spec::default()
        }),
        ..BridgeSpec::default()
    };
    bridge.dns.resolv_conf = dir.join("resolv.conf");
    NetworkSpec {
        name: name.into(),
        link: name.into(),
        kind: Kind::Bridge(bridge),
        state_dir: dir.join(name),
    }
}
