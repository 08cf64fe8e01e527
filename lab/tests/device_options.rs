//! Options of a container's disks and network cards that say more than where from and where to.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;

use lab::{Client, Daemon, host, until};

/// Runs something where the daemon sees it: its mounts may be its own.
fn beside(daemon: &Daemon, words: &[&str]) -> lab::Run {
    let pid = daemon.pid().unwrap().to_string();
    host(&[&["nsenter", "-t", &pid, "-m", "--"], words].concat())
}

fn add(daemon: &Daemon, client: Client, name: &str, words: &str) -> lab::Run {
    let words: Vec<&str> = words.split(' ').collect();
    daemon.run(client, &[&["config", "device", "add", name], &words[..]].concat())
}

#[test]
fn mounts_have_flags_follow_the_host_and_show_snapshots() {
    let Some(daemon) = Daemon::ready() else { return };
    let shared = daemon.scratch().join("shared");
    fs::create_dir_all(shared.join("below")).unwrap();
    let at = shared.display().to_string();
    beside(&daemon, &["mount", "--bind", &at, &at]).ok();
    beside(&daemon, &["mount", "--make-shared", &at]).ok();
    daemon.cli(["create", "local:busybox", "web"]).ok();
    let disk =
        |path: &str, more: &str| format!("{} disk source={at} path={path} {more}", &path[1..]);
    add(&daemon, Client::Lxc, "web", &disk("/follows", "propagation=rslave")).ok();
    add(&daemon, Client::Lxc, "web", &disk("/alone", "raw.mount.options=noexec,nosuid")).ok();
    daemon.cli(["start", "web"]).ok();
    add(
        &daemon,
        Client::Cli,
        "web",
        &disk("/later", "propagation=slave raw.mount.options=nodev,noatime,ro"),
    )
    .ok();
    let below = format!("{at}/below");
    beside(&daemon, &["mount", "-t", "tmpfs", "later", &below]).ok();
    beside(&daemon, &["touch", &format!("{below}/new")]).ok();
    let seen = daemon.sh("web", "ls /follows/below /later/below /alone/below").text();
    assert_eq!(seen.matches("new").count(), 2, "only those that follow see it: {seen}");
    beside(&daemon, &["umount", &below]).ok();
    assert!(!daemon.sh("web", "ls /follows/below").text().contains("new"));
    let flags = daemon.sh("web", "grep -E ' /(alone|later) ' /proc/mounts").text();
    for word in ["noexec", "nosuid", "nodev", "noatime", " ro,"] {
        assert!(flags.contains(word), "{word}: {flags}");
    }
    assert_ne!(
        daemon.sh("web", "mount -o remount,bind,exec,suid /alone").status,
        0,
        "it is locked"
    );
    for (more, words) in [
        ("raw.mount.options=uid=5", "noexec"),
        ("propagation=unbindable", "rslave"),
        ("source.snapshot=s", "a volume"),
    ] {
        add(&daemon, Client::Lxc, "web", &disk("/wrong", more)).fails_with(words);
    }
    daemon.cli(["stop", "web", "--force"]).ok();
    beside(&daemon, &["umount", &at]).ok();

    daemon.lxc(["storage", "volume", "create", "default", "data"]).ok();
    daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/now"]).ok();
    daemon.cli(["start", "web"]).ok();
    daemon.sh("web", "echo before > /now/note").ok();
    daemon.lxc(["storage", "volume", "snapshot", "default", "data", "s"]).ok();
    daemon.sh("web", "echo after > /now/note").ok();
    let then = "then disk pool=default source=data source.snapshot=s path=/then";
    add(&daemon, Client::Lxc, "web", then).ok();
    assert_eq!(daemon.sh("web", "cat /then/note /now/note").text(), "before\nafter");
    assert_ne!(daemon.sh("web", "echo x > /then/note").status, 0, "a snapshot is to be read only");
    daemon.lxc(["storage", "volume", "delete", "default", "data/s"]).fails_with("in use");
    for client in Client::BOTH {
        let rename = ["storage", "volume", "rename", "default", "data/s", "data/u"];
        daemon.run(client, &rename).fails_with("in use by instance default/web");
    }
    daemon
        .lxc(["config", "device", "set", "web", "then", "source.snapshot", "t"])
        .fails_with("not found");
    daemon.lxc(["restart", "web", "--force"]).ok();
    assert_eq!(daemon.sh("web", "cat /then/note").text(), "before");
    daemon.lxc(["config", "device", "remove", "web", "then"]).ok();
    daemon.cli(["stop", "web", "--force"]).ok();
    daemon.lxc(["storage", "volume", "rename", "default", "data/s", "data/u"]).ok();
    daemon.lxc(["storage", "volume", "delete", "default", "data/u"]).ok();
}

#[test]
fn cards_are_in_vlans_and_have_routes() {
    let Some(daemon) = Daemon::ready() else { return };
    let up = |name: &str, words: &[&str]| {
        daemon.cli(["create", "local:busybox", name]).ok();
        let words = [&["config", "device", "override", name, "eth0"], words].concat();
        daemon.run(Client::Lxc, &words).ok();
        daemon.cli(["start", name]).ok();
    };
    let pair = ["ip", "link", "add", "tells", "type", "bridge", "vlan_filtering", "1"];
    match daemon.netns().run(&pair).status {
        0 => {
            daemon.netns().run(&["ip", "link", "del", "tells"]).ok();
            vlans(&daemon, &up);
        }
        // The rest is worth a test all the same.
        _ => {
            daemon.cli(["create", "local:busybox", "a"]).ok();
            daemon.lxc(["config", "device", "override", "a", "eth0", "vlan=5"]).ok();
            daemon.cli(["start", "a"]).fails_with("CONFIG_BRIDGE_VLAN_FILTERING");
        }
    }

    up("c", &["ipv4.routes=10.99.1.0/24"]);
    // What is sent to a card's subnet arrives there.
    daemon.sh("c", "ip addr add 10.99.1.1/32 dev lo").ok();
    let ping = ["busybox", "ping", "-c", "1", "-W", "1", "10.99.1.1"];
    until("it arrives", || (daemon.netns().run(&ping).status == 0).then_some(()));
    let routes = || daemon.netns().run(&["ip", "route"]).text();
    assert!(routes().contains("10.99.1.0/24 dev mcbr0"), "{}", routes());
    daemon.cli(["network", "set", "mcbr0", "ipv4.nat", "false"]).ok();
    assert!(routes().contains("10.99.1.0/24"), "a network that changes leaves it alone");
    daemon.lxc(["config", "device", "set", "c", "eth0", "ipv4.routes", "10.99.2.0/24"]).ok();
    assert!(
        routes().contains("10.99.2.0/24") && !routes().contains("10.99.1.0/24"),
        "{}",
        routes()
    );
    daemon.cli(["stop", "c", "--force"]).ok();
    assert!(!routes().contains("10.99.2.0/24"), "{}", routes());
    add(&daemon, Client::Cli, "c", "eth1 nic nictype=p2p host_name=pair ipv4.routes=10.99.3.0/24")
        .ok();
    daemon.cli(["start", "c"]).ok();
    assert!(routes().contains("10.99.3.0/24 dev pair"), "{}", routes());
    for wrong in ["vlan=4095", "vlan.tagged=9-8", "ipv4.routes=10.0.0.0"] {
        let key = wrong.split('=').next().unwrap();
        let words = ["config", "device", "set", "a", "eth0", wrong];
        daemon.run(Client::Cli, &words).fails_with(key);
    }
}

/// Those of one VLAN reach each other, and no others.
fn vlans(daemon: &Daemon, up: &dyn Fn(&str, &[&str])) {
    up("a", &["vlan=5"]);
    up("b", &["vlan=5", "vlan.tagged=7,10-12"]);
    up("d", &[]);
    for (name, last) in [("a", 1), ("b", 2), ("d", 3)] {
        let line = format!("ip addr add 10.99.9.{last}/24 dev eth0; ip link set eth0 up");
        daemon.sh(name, &line).ok();
    }
    let reaches =
        |from: &str, to: &str| daemon.sh(from, &format!("ping -c 1 -W 1 {to}")).status == 0;
    until("those of one VLAN reach each other", || reaches("a", "10.99.9.2").then_some(()));
    assert!(!reaches("d", "10.99.9.2") && !reaches("a", "10.99.9.3"), "others do not");
    let vlans = daemon.netns().run(&["bridge", "vlan", "show"]).text();
    assert!(vlans.contains("5 PVID Egress Untagged") && vlans.contains("10-12"), "{vlans}");
}

#[test]
fn a_container_has_modules_and_a_whole_seccomp_profile() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("web");
    let set = |words: &str| daemon.run(Client::Lxc, &["config", "set", "web", words]);
    let restart = || daemon.lxc(["restart", "web", "--force"]);
    set("linux.kernel_modules=no_such_module").ok();
    restart().fails_with("no_such_module");
    assert_eq!(daemon.status("web"), "Stopped");
    // What the kernel has, as a module or by itself, is fine.
    set("linux.kernel_modules=kernel").ok();
    daemon.lxc(["start", "web"]).ok();
    set("linux.kernel_modules=../x").fails_with("linux.kernel_modules");
    set("linux.kernel_modules.load=ondemand").fails_with("boot");
    daemon.cli(["config", "unset", "web", "linux.kernel_modules"]).ok();

    set("raw.seccomp=2\ndenylist\nreject_force_umount\n[all]\nmkdir errno 38\nmkdirat errno 38\n")
        .ok();
    restart().ok();
    let said = daemon.sh("web", "mkdir /x 2>&1").shown();
    assert!(said.to_lowercase().contains("not implemented"), "{said}");
    set("raw.seccomp=2\ndenylist\n[all]\nno_such_call\n").ok();
    restart().fails_with("no_such_call");
    set("raw.seccomp=1\n0\n").fails_with("version 2");
}
