//! The Ceph of `cargo xtask test --rig ceph`: each member of a cluster reaches it by a network of its own, so that it stays when
//! the cable to the other members is pulled.

use std::{env, path::PathBuf};

use crate::{Netns, skip};

/// The bridge that it is behind, in the network namespace of the tests.
const BRIDGE: &str = "storage";
/// What it is called in the namespace of a member.
const LINK: &str = "uplink-ceph";

/// The program that gives a daemon what one machine has mapped of it; `None` where there is no Ceph, and it said so.
pub fn machine() -> Option<PathBuf> {
    let script = env::var_os("CEPH_MACHINE").map(PathBuf::from);
    if script.is_none() {
        skip("there is no Ceph here: cargo xtask test --rig ceph");
    }
    script
}

/// Lets a member reach it.
#[track_caller]
pub(crate) fn join(netns: &Netns, member: usize) {
    let holder = netns.holder().to_string();
    let port = format!("ceph{holder}");
    let pair = ["ip", "link", "add", &port, "type", "veth", "peer", "name", LINK, "netns", &holder];
    crate::host(&pair).ok();
    crate::host(&["ip", "link", "set", &port, "master", BRIDGE, "up"]).ok();
    let inner = format!("10.8.0.{}/24", member + 10);
    netns.run(&["ip", "addr", "add", &inner, "dev", LINK]).ok();
    netns.run(&["ip", "link", "set", LINK, "up"]).ok();
}
