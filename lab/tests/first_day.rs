//! The first day: set up, launch, look, run something, stop, start, delete, with both clients.

use lab::{Client, Daemon, until};
use serde_json::Value;

/// A row of `list` with its state and an address.
fn row(daemon: &Daemon, client: Client, name: &str) -> Option<String> {
    let table = daemon.run(client, &["list"]).text();
    table.lines().find(|line| line.starts_with(&format!("| {name} "))).map(str::to_owned)
}

#[test]
fn a_new_server_is_set_up_with_one_command() {
    let Some(daemon) = Daemon::start() else { return };
    daemon.cli(["init", "--auto"]).ok();
    assert!(daemon.lxc(["storage", "list"]).text().contains("| default | dir "));
    assert!(daemon.lxc(["network", "list"]).text().contains("| mcbr0 "));
    let profile = daemon.lxc(["profile", "show", "default"]).text();
    assert!(profile.contains("network: mcbr0") && profile.contains("pool: default"), "{profile}");
    // Again: nothing is made twice, nothing fails.
    daemon.cli(["init", "--auto"]).ok();
    assert_eq!(daemon.urls("storage-pools").len(), 1);
    let networks = daemon.get("/1.0/networks?recursion=1");
    let managed = networks.as_array().into_iter().flatten().filter(|one| one["managed"] == true);
    assert_eq!(managed.count(), 1);
    let log = daemon.log();
    assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "nothing is amiss: {log}");
    let status = daemon.cli(["status"]).text();
    assert!(status.contains(env!("CARGO_PKG_VERSION")), "{status}");
}

#[test]
fn launch_looks_up_builds_and_starts() {
    let Some(daemon) = Daemon::start() else { return };
    daemon.cli(["init", "--auto"]).ok();
    daemon.cli(["launch", "busybox", "web"]).ok();
    daemon.address("web");
    let row = row(&daemon, Client::Cli, "web").unwrap_or_default();
    assert!(row.contains("| RUNNING |") && row.contains(" (eth0) "), "{row}");
    assert_eq!(daemon.cli(["exec", "web", "--", "hostname"]).text(), "web");
    daemon.cli(["launch", "busybox"]).ok();
    assert_eq!(daemon.urls("instances").len(), 2, "a name was found for the second");
}

#[test]
fn what_makes_a_day_easier() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("web");
    daemon.cli(["wait", "web", "ipv4", "--timeout", "20"]).ok();
    daemon.cli(["wait", "web", "status=stopped", "--timeout", "1"]).fails_with("not so after 1 s");
    daemon.cli(["wait", "nobody"]).fails_with("not found");
    let top = daemon.cli(["top", "--interval", "1"]).text();
    assert!(top.starts_with("NAME") && top.contains("web "), "{top}");

    daemon.cli(["alias", "add", "name-of", "exec", "@ARGS@", "--", "hostname"]).ok();
    assert_eq!(daemon.cli(["name-of", "web"]).text(), "web");
    daemon.cli(["alias", "add", "list", "exec"]).fails_with("a command of that name");
    daemon.cli(["alias", "rename", "name-of", "who"]).ok();
    assert!(daemon.cli(["alias", "list"]).text().contains("exec @ARGS@ -- hostname"));
    daemon.cli(["alias", "remove", "who"]).ok();
    daemon.cli(["who", "web"]).fails();

    // As a shell asks: fish.
    let complete = |words: &[&str]| {
        let mut command = daemon.command(Client::Cli);
        command.env("COMPLETE", "fish").args(["--", "microcloud"]).args(words);
        let told = command.output().unwrap_or_else(|e| panic!("{e}"));
        String::from_utf8_lossy(&told.stdout).into_owned()
    };
    assert_eq!(complete(&["exec", "w"]).trim(), "web");
    assert!(complete(&["config", "set", "web", "boot.autos"]).contains("boot.autostart.priority"));
    assert_eq!(complete(&["network", "show", "mc"]).trim(), "mcbr0");
    for shell in ["bash", "zsh", "fish"] {
        assert!(daemon.cli(["completion", shell]).text().contains("COMPLETE"), "{shell}");
    }
    let pages = daemon.scratch().join("man1");
    daemon.cli(["manual", &pages.to_string_lossy()]).ok();
    let page = std::fs::read_to_string(pages.join("microcloud-launch.1"));
    assert!(page.is_ok_and(|page| page.contains("Make an instance and start it")));
    let doctor = daemon.run(Client::Cli, &["doctor"]).stdout;
    assert!(String::from_utf8_lossy(&doctor).contains("answers"));
    daemon.cli(["delete", "web", "--force"]).ok();
}

#[test]
fn the_life_of_an_instance_with_both_clients() {
    let Some(daemon) = Daemon::ready() else { return };
    for client in Client::BOTH {
        life(&daemon, client);
        daemon.no_instance_left();
    }
}

fn life(daemon: &Daemon, client: Client) {
    let run = |words: &[&str]| daemon.run(client, words);
    let image = if client == Client::Cli { "local:busybox" } else { "busybox" };
    run(&["launch", image, "x"]).ok();
    until("list shows an address", || {
        let row = row(daemon, client, "x")?;
        (row.contains("| RUNNING |") && row.contains("(eth0)")).then_some(())
    });
    assert_eq!(run(&["exec", "x", "--", "hostname"]).text(), "x");
    assert_eq!(run(&["exec", "x", "--", "sh", "-c", "exit 7"]).status, 7);
    run(&["delete", "x"]).fails_with("running");
    run(&["restart", "x", "--force"]).ok();
    assert_eq!(run(&["exec", "x", "--", "hostname"]).text(), "x");
    run(&["pause", "x"]).ok();
    assert_eq!(daemon.status("x"), "Frozen");
    run(&[if client == Client::Cli { "resume" } else { "start" }, "x"]).ok();
    assert_eq!(daemon.status("x"), "Running");
    run(&["stop", "x"]).ok();
    assert_eq!(daemon.status("x"), "Stopped");
    run(&["start", "x"]).ok();
    run(&["stop", "x", "--force"]).ok();
    assert!(row(daemon, client, "x").is_some_and(|row| row.contains("| STOPPED |")));
    run(&["stop", "x"]).fails();
    run(&["rename", "x", "y"]).ok();
    run(&["start", "y"]).ok();
    assert_eq!(run(&["exec", "y", "--", "hostname"]).text(), "y");
    run(&["delete", "y", "--force"]).ok();
    assert_eq!(run(&["list", "--format", "csv"]).text(), "");
    run(&["exec", "y", "--", "true"]).fails_with("not found");
}

#[test]
fn what_is_written_inside_stays_over_a_restart_and_no_longer_than_the_instance() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.sh("x", "echo kept > /root/note && rm /etc/os-release").ok();
    daemon.cli(["restart", "x", "--force"]).ok();
    assert_eq!(daemon.sh("x", "cat /root/note").text(), "kept");
    daemon.sh("x", "test ! -e /etc/os-release").ok();
    daemon.cli(["delete", "x", "--force"]).ok();
    daemon.busybox("x");
    daemon.sh("x", "test ! -e /root/note && test -e /etc/os-release").ok();
}

#[test]
fn a_stop_that_takes_too_long_says_so_and_force_helps() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    // An init that does not listen.
    daemon.sh("x", "rm /sbin/init && printf '#!/bin/sh\ntrap \"\" USR2 TERM PWR\nwhile :; do sleep 1; done' > /sbin/init && chmod +x /sbin/init").ok();
    daemon.cli(["restart", "x", "--force"]).ok();
    for client in Client::BOTH {
        daemon.run(client, &["stop", "x", "--timeout", "1"]).fails();
        assert_eq!(daemon.status("x"), "Running");
    }
    daemon.lxc(["stop", "x", "--force"]).ok();
    // One that cannot be started says why.
    daemon.cli(["start", "x"]).ok();
    daemon.sh("x", "rm /sbin/init").ok();
    let start = std::time::Instant::now();
    daemon.cli(["restart", "x", "--force"]).fails_with("/sbin/init");
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "the reason comes at once");
    daemon.cli(["start", "x"]).fails_with("/sbin/init");
    assert_eq!(daemon.status("x"), "Stopped");
    daemon.cli(["delete", "x"]).ok();
    daemon.no_instance_left();
}

#[test]
fn many_at_once() {
    let Some(daemon) = Daemon::ready() else { return };
    std::thread::scope(|scope| {
        for number in 0..10 {
            let daemon = &daemon;
            scope.spawn(move || daemon.busybox(&format!("n{number}")));
        }
    });
    let list = daemon.get("/1.0/instances?recursion=1");
    let running = list.as_array().into_iter().flatten().filter(|one| one["status"] == "Running");
    assert_eq!(running.count(), 10);
    let addresses: std::collections::BTreeSet<_> =
        (0..10).map(|number| daemon.address(&format!("n{number}"))).collect();
    assert_eq!(addresses.len(), 10, "each has its own address: {addresses:?}");
    daemon.cli(["stop", "--all", "--force"]).ok();
    daemon.cli(["start", "--all"]).ok();
    let names: Vec<_> = (0..10).map(|number| format!("n{number}")).collect();
    let mut words = vec!["delete", "--force"];
    words.extend(names.iter().map(String::as_str));
    daemon.run(Client::Lxc, &words).ok();
    daemon.no_instance_left();
}

#[test]
fn lists_for_programs() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let address = daemon.address("x").to_string();
    for client in Client::BOTH {
        let json = daemon.run(client, &["list", "--format", "json"]).text();
        let list: Value = serde_json::from_str(&json).unwrap_or_default();
        assert_eq!(list[0]["name"], "x", "{json}");
        assert!(list[0]["state"].to_string().contains(&address), "{json}");
        let csv = daemon.run(client, &["list", "--format", "csv", "-c", "ns4t"]).text();
        assert_eq!(csv, format!("x,RUNNING,{address} (eth0),CONTAINER"));
        let yaml = daemon.run(client, &["list", "--format", "yaml"]).text();
        assert!(yaml.contains("name: x"), "{yaml}");
        assert_eq!(daemon.run(client, &["list", "nothing", "--format", "csv"]).text(), "");
    }
}
