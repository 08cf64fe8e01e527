//! The machine boots: what should run does, what should not does not. And reboots from inside.

use lab::{Daemon, until};

/// As if the machine was switched off and on: every process is gone, and so are the links.
fn power_cut(daemon: &mut Daemon, inits: &[u64]) {
    daemon.kill9();
    for pid in inits {
        lab::host(&["kill", "-KILL", &pid.to_string()]).ok();
    }
    // The kernel names each boot; the daemon remembers the name.
    std::fs::write(daemon.folder().join("boot_id"), "another").unwrap_or_else(|e| panic!("{e}"));
    until("all of it is gone", || {
        let alive = |pid: &u64| std::path::Path::new(&format!("/proc/{pid}/ns/pid")).exists();
        (!inits.iter().any(alive)).then_some(())
    });
    for link in daemon.netns().links().iter().filter(|link| *link != "lo") {
        // The other end of a pair may have taken it along.
        drop(daemon.netns().run(&["ip", "link", "delete", link]));
    }
    daemon.netns().run(&["nft", "flush", "ruleset"]).ok();
    daemon.launch();
}

#[test]
fn after_a_boot_of_the_machine() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let auto = "boot.autostart=true";
    for name in ["ran", "stood"] {
        daemon.busybox(name);
    }
    daemon.cli(["launch", "local:busybox", "never", "-c", "boot.autostart=false"]).ok();
    daemon
        .cli(["launch", "local:busybox", "always", "-c", auto, "-c", "boot.autostart.priority=5"])
        .ok();
    daemon.cli(["launch", "local:busybox", "guest", "--ephemeral"]).ok();
    daemon.cli(["stop", "always", "--force"]).ok();
    daemon.cli(["stop", "stood", "--force"]).ok();
    let inits = ["ran", "never", "guest"].map(|name| daemon.init_of(name));
    let address = daemon.address("ran");
    power_cut(&mut daemon, &inits);
    daemon.await_status("ran", "Running");
    daemon.await_status("always", "Running");
    assert_eq!(
        (daemon.status("never"), daemon.status("stood")),
        ("Stopped".into(), "Stopped".into())
    );
    assert_eq!(daemon.address("ran"), address);
    daemon.sh("always", "true").ok();
    // A restart of the daemon alone starts nothing.
    daemon.cli(["stop", "always", "--force"]).ok();
    daemon.restart();
    assert_eq!(daemon.status("always"), "Stopped");
}

#[test]
fn reboot_and_poweroff_from_inside() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let before = daemon.init_of("x");
    daemon.sh("x", "reboot -f");
    until("it comes back", || {
        let init = daemon.init_of("x");
        (init != 0 && init != before).then_some(())
    });
    daemon.address("x");
    daemon.sh("x", "poweroff -f");
    daemon.await_status("x", "Stopped");
    daemon.cli(["start", "x"]).ok();
    // It ends while nobody looks.
    daemon.sh("x", "(sleep 0.5; poweroff -f) >/dev/null 2>&1 &").ok();
    daemon.kill9();
    std::thread::sleep(std::time::Duration::from_secs(1));
    daemon.launch();
    daemon.await_status("x", "Stopped");
    // And it reboots while nobody looks.
    daemon.cli(["start", "x"]).ok();
    daemon.sh("x", "(sleep 0.5; reboot -f) >/dev/null 2>&1 &").ok();
    daemon.kill9();
    std::thread::sleep(std::time::Duration::from_secs(1));
    daemon.launch();
    daemon.await_status("x", "Running");
    daemon.sh("x", "true").ok();
}

#[test]
fn ephemeral_instances_go_when_they_stop() {
    let Some(daemon) = Daemon::ready() else { return };
    for line in ["poweroff -f", "kill -USR2 1"] {
        daemon.lxc(["launch", "busybox", "guest", "--ephemeral"]).ok();
        daemon.sh("guest", line);
        daemon.await_status("guest", "");
    }
    daemon.lxc(["launch", "busybox", "guest", "--ephemeral"]).ok();
    daemon.lxc(["stop", "guest", "--force"]).ok();
    assert_eq!(daemon.status("guest"), "", "it goes before the stop is over");
    daemon.lxc(["launch", "busybox", "guest", "--ephemeral"]).ok();
    daemon.lxc(["restart", "guest", "--force"]).ok();
    daemon.lxc(["exec", "guest", "--", "true"]).ok();
    daemon.lxc(["delete", "guest", "--force"]).ok();
    daemon.no_instance_left();
}
