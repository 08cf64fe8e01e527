//! A real Debian with systemd: boots whole, shuts down when asked, from outside and from inside.

use std::time::Duration;

use lab::{Daemon, until, within};

/// A boot of systemd on a loaded machine.
const BOOT: Duration = Duration::from_secs(60);

#[test]
fn debian_boots_whole_and_ends_clean() {
    let Some(daemon) = Daemon::debian() else { return };
    daemon.busybox("other");
    daemon.lxc(["launch", "debian", "web"]).ok();
    let state = daemon.booted("web");
    let failed = daemon.sh("web", "systemctl --failed --no-legend --plain").text();
    assert_eq!((state.as_str(), failed.as_str()), ("running", ""));
    let address = daemon.address("web").to_string();
    let inside = daemon.sh("web", "ip -4 -brief address show eth0").text();
    assert!(inside.contains(&address), "{inside}");
    let other = daemon.address("other").to_string();
    until("the other's name is known", || {
        daemon.sh("web", "getent ahostsv4 other").shown().contains(&other).then_some(())
    });
    until("and its own to the other", || {
        daemon.sh("other", "nslookup -type=a web").shown().contains(&address).then_some(())
    });
    assert_eq!(daemon.sh("web", "hostname; cat /proc/1/comm").text(), "web\nsystemd");
    // Unprivileged: root inside is nobody outside.
    let map = daemon.sh("web", "cat /proc/self/uid_map").text();
    assert_ne!(map.split_whitespace().nth(1), Some("0"), "{map}");
    daemon.sh("web", "journalctl --no-pager | grep -q systemd").ok();

    // A clean stop lets the services end.
    daemon
        .sh("web", "systemd-run --unit=last -p ExecStop='/bin/touch /root/ended' sleep 1000")
        .ok();
    daemon.lxc(["stop", "web"]).ok();
    daemon.lxc(["start", "web"]).ok();
    daemon.booted("web");
    daemon.sh("web", "test -e /root/ended").ok();
}

#[test]
fn debian_shuts_itself_down_and_comes_back() {
    let Some(daemon) = Daemon::debian() else { return };
    daemon.lxc(["launch", "debian", "web"]).ok();
    daemon.booted("web");
    let before = daemon.init_of("web");
    daemon.sh("web", "systemctl reboot");
    within(BOOT, "it comes back", || {
        let init = daemon.init_of("web");
        (init != 0 && init != before).then_some(())
    });
    daemon.booted("web");
    daemon.sh("web", "poweroff");
    within(BOOT, "it stays down", || (daemon.status("web") == "Stopped").then_some(()));
    daemon.lxc(["start", "web"]).ok();
    daemon.booted("web");
    daemon.lxc(["restart", "web"]).ok();
    daemon.booted("web");
    // One that is ephemeral goes when it ends.
    daemon.lxc(["launch", "debian", "guest", "--ephemeral"]).ok();
    daemon.booted("guest");
    daemon.sh("guest", "poweroff");
    within(BOOT, "it goes", || daemon.status("guest").is_empty().then_some(()));
}
