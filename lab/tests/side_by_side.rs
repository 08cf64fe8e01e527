//! Several daemons on one machine do not get in one another's way.

use lab::Daemon;

#[test]
fn two_daemons_in_one_network() {
    let Some(first) = Daemon::ready() else { return };
    let Some(mut second) = Daemon::with(&first.beside()) else { return };
    second.cli(["init", "--auto"]).ok();
    second.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    // The same name in both: folders, control groups, links, addresses must differ.
    first.busybox("x");
    second.busybox("x");
    let (a, b) = (first.address("x"), second.address("x"));
    assert_ne!(a.octets()[..3], b.octets()[..3], "one subnet for two bridges: {a} {b}");
    first.sh("x", "touch /first").ok();
    second.sh("x", "test ! -e /first").ok();
    let links = first.netns().links();
    assert!(links.contains(&"mcbr0".into()) && links.contains(&"mcbr1".into()), "{links:?}");
    // The end of one is not that of the other.
    second.cli(["delete", "x", "--force"]).ok();
    second.kill9();
    second.launch();
    first.sh("x", &format!("ping -c 1 -W 2 {}", gateway(&first))).ok();
    drop(second);
    first.sh("x", &format!("ping -c 1 -W 2 {}", gateway(&first))).ok();
    assert_eq!(first.status("x"), "Running");
}

fn gateway(daemon: &Daemon) -> String {
    let address = daemon.get("/1.0/networks/mcbr0")["config"]["ipv4.address"].clone();
    let address = address.as_str().unwrap_or_default();
    address.split('/').next().unwrap_or_default().to_owned()
}
