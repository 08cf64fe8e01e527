//! Members whose machines get other addresses: they are who they are by their certificates.

use std::time::Duration;

use lab::{
    Daemon,
    cluster::{Cluster, name},
    until, within,
};

/// Ten seconds until a member knows that it is lost, a few to hear of the others, and an election.
const PATIENCE: Duration = Duration::from_secs(45);

/// Has a machine have another address, as a DHCP server would.
fn readdress(daemon: &Daemon, old: &str, new: &str) {
    daemon.netns().run(&["ip", "addr", "del", old, "dev", "uplink"]).ok();
    daemon.netns().run(&["ip", "addr", "add", new, "dev", "uplink"]).ok();
}

/// What one member says of another: where it is, and whether it answers.
fn seen(daemon: &Daemon, member: usize) -> (String, String) {
    let path = format!("/1.0/cluster/members/{}", name(member));
    let Ok(told) = daemon.try_request("GET", &path, &[], b"") else { return Default::default() };
    let text = |key: &str| told.body["metadata"][key].as_str().unwrap_or_default().to_owned();
    (text("url"), text("status"))
}

fn await_at(daemon: &Daemon, member: usize, address: &str) {
    let want = (format!("https://{address}"), String::from("Online"));
    let what = format!("{} at {address}", name(member));
    within(PATIENCE, &what, || (seen(daemon, member) == want).then_some(()));
}

/// Something is changed on one and seen on another.
fn works(from: &Daemon, to: &Daemon, project: &str) {
    until("a change", || (from.lxc(["project", "create", project]).status == 0).then_some(()));
    until("the change", || {
        let listed = to.lxc(["project", "list", "--format", "csv"]).text();
        listed.contains(project).then_some(())
    });
    until("its end", || (from.lxc(["project", "delete", project]).status == 0).then_some(()));
}

#[test]
fn a_member_gets_another_address() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    // It listens at one address, which it has no more; another is in the same network.
    readdress(&cluster.members[1], "10.9.0.2/24", "10.9.0.22/24");
    await_at(&cluster.members[0], 1, "10.9.0.22:8443");
    await_at(&cluster.members[2], 1, "10.9.0.22:8443");
    works(&cluster.members[1], &cluster.members[2], "p0");
    let told = cluster.members[0].lxc(["query", "/1.0?target=m2"]).text();
    assert!(told.contains("10.9.0.22:8443"), "{told}");

    // One that is off meanwhile, and comes back; it had a vote, and the others go on.
    cluster.members[2].kill9();
    readdress(&cluster.members[2], "10.9.0.3/24", "10.9.0.33/24");
    cluster.members[2].launch();
    await_at(&cluster.members[0], 2, "10.9.0.33:8443");
    works(&cluster.members[0], &cluster.members[2], "p1");

    // One says by its options that it is somewhere else.
    cluster.members[1].lxc(["config", "set", "core.https_address", ":9443"]).ok();
    await_at(&cluster.members[0], 1, "10.9.0.22:9443");
    works(&cluster.members[2], &cluster.members[1], "p2");
}

#[test]
fn a_whole_cloud_moves_to_another_network() {
    let Some(mut cluster) = Cluster::alone(3) else { return };
    cluster.members[0].cli(["cluster", "enable", "m1"]).ok();
    for member in 1..3 {
        let token = cluster.members[0].cli(["--quiet", "cluster", "add", &name(member)]).text();
        cluster.members[member].cli(["join", token.trim()]).ok();
    }
    for member in 0..3 {
        await_at(&cluster.members[2], member, &lab::cluster::address(member));
    }
    for member in 0..3 {
        let (old, new) = (format!("10.9.0.{}/24", member + 1), format!("10.8.0.{}/24", 9 - member));
        readdress(&cluster.members[member], &old, &new);
    }
    for asked in 0..3 {
        for member in 0..3 {
            await_at(&cluster.members[asked], member, &format!("10.8.0.{}:8443", 9 - member));
        }
    }
    works(&cluster.members[0], &cluster.members[1], "p0");

    // All are off, and have other addresses when they are back; nobody is heard on this network, so they are told.
    for member in &mut cluster.members {
        member.kill9();
    }
    cluster.deafen();
    for member in 0..3 {
        let daemon = &cluster.members[member];
        let (old, new) = (format!("10.8.0.{}/24", 9 - member), format!("10.7.0.{}/24", member + 1));
        readdress(daemon, &old, &new);
    }
    for member in &mut cluster.members {
        member.launch();
    }
    let [first, second, third] = &cluster.members[..] else { panic!("three") };
    first.cli(["cluster", "set-address", "m2", "10.7.0.3:8443"]).fails_with("certificate");
    first.cli(["cluster", "set-address", "m2", "nowhere"]).fails_with("host:port");
    first.cli(["cluster", "set-address", "m4", "10.7.0.2:8443"]).fails_with("not found");
    first.cli(["cluster", "set-address", "m2", "10.7.0.2:8443"]).ok();
    await_at(first, 1, "10.7.0.2:8443");
    second.cli(["cluster", "set-address", "m3", "10.7.0.3:8443"]).ok();
    for asked in [first, second, third] {
        for member in 0..3 {
            await_at(asked, member, &format!("10.7.0.{}:8443", member + 1));
        }
    }
    works(third, first, "p1");
}
