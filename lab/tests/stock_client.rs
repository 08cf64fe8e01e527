//! What people type with `lxc` besides launching: it works unchanged against our daemon.

use std::time::Duration;

use lab::{Background, Client, Daemon, until};
use serde_json::Value;

#[test]
fn config_of_an_instance() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["launch", "busybox", "x", "-c", "user.colour=blue"]).ok();
    assert_eq!(daemon.lxc(["config", "get", "x", "user.colour"]).text(), "blue");
    daemon.lxc(["config", "set", "x", "user.colour", "red"]).ok();
    daemon.lxc(["config", "set", "x", "user.a=1", "user.b=2"]).ok();
    let shown = daemon.lxc(["config", "show", "x"]).text();
    assert!(shown.contains("user.colour: red") && shown.contains("user.b: \"2\""), "{shown}");
    assert!(!shown.contains("pool: default"), "devices of the profile: {shown}");
    let expanded = daemon.lxc(["config", "show", "x", "--expanded"]).text();
    assert!(expanded.contains("pool: default"), "{expanded}");
    daemon.lxc(["config", "unset", "x", "user.a"]).ok();
    assert_eq!(daemon.lxc(["config", "get", "x", "user.a"]).text(), "");
    // `config edit` reads from a pipe.
    let edited = shown.replace("user.colour: red", "user.colour: green");
    daemon.run_with(Client::Lxc, &["config", "edit", "x"], edited.into_bytes()).ok();
    assert_eq!(daemon.lxc(["config", "get", "x", "user.colour"]).text(), "green");
    let shown = daemon.cli(["config", "show", "x"]).text();
    let edited = shown.replace("user.colour: green", "user.colour: black");
    daemon.run_with(Client::Cli, &["config", "edit", "x"], edited.into_bytes()).ok();
    assert_eq!(daemon.cli(["config", "get", "x", "user.colour"]).text(), "black");
    daemon.lxc(["config", "set", "x", "boot.autostart", "maybe"]).fails_with("boot.autostart");
    daemon.lxc(["config", "set", "x", "no.such.key", "1"]).fails_with("no.such.key");
}

#[test]
fn devices() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["init", "busybox", "x"]).ok();
    let source = daemon.scratch();
    std::fs::write(source.join("note"), "from the host\n").unwrap_or_else(|e| panic!("{e}"));
    let source = format!("source={}", source.display());
    let disk = ["config", "device", "add", "x", "data", "disk", &source, "path=/mnt"];
    daemon.run(Client::Lxc, &[&disk[..], &["readonly=true"]].concat()).ok();
    daemon.lxc(["start", "x"]).ok();
    assert_eq!(daemon.sh("x", "cat /mnt/note").text(), "from the host");
    daemon.sh("x", "touch /mnt/new").fails();
    assert_eq!(daemon.lxc(["config", "device", "get", "x", "data", "path"]).text(), "/mnt");
    assert!(daemon.lxc(["config", "device", "list", "x"]).text().contains("data"));
    daemon.lxc(["stop", "x", "--force"]).ok();
    daemon.lxc(["config", "device", "remove", "x", "data"]).ok();
    daemon.lxc(["start", "x"]).ok();
    daemon.sh("x", "test ! -e /mnt/note").ok();
    daemon.lxc(["config", "device", "override", "x", "root", "size=1GiB"]).ok();
    daemon.lxc(["config", "device", "add", "x", "y", "disk", "path=/y"]).fails();
}

#[test]
fn profiles() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["profile", "create", "big"]).ok();
    daemon.lxc(["profile", "set", "big", "limits.processes", "77"]).ok();
    assert_eq!(daemon.lxc(["profile", "get", "big", "limits.processes"]).text(), "77");
    daemon.lxc(["launch", "busybox", "x", "-p", "default", "-p", "big"]).ok();
    let show = daemon.lxc(["config", "show", "x", "--expanded"]).text();
    assert!(show.contains("limits.processes: \"77\""), "{show}");
    assert!(daemon.lxc(["profile", "list"]).text().contains("| big "));
    daemon.lxc(["profile", "delete", "big"]).fails_with("in use");
    daemon.lxc(["profile", "remove", "x", "big"]).ok();
    daemon.lxc(["profile", "copy", "big", "bigger"]).ok();
    daemon.lxc(["profile", "rename", "bigger", "biggest"]).ok();
    let text = "config:\n  limits.processes: \"99\"\ndescription: edited\ndevices: {}\n";
    daemon.run_with(Client::Lxc, &["profile", "edit", "biggest"], text.into()).ok();
    assert_eq!(daemon.lxc(["profile", "get", "biggest", "limits.processes"]).text(), "99");
    daemon.lxc(["profile", "assign", "x", "default,biggest"]).ok();
    assert_eq!(daemon.get("/1.0/instances/x")["profiles"][1], "biggest");
    daemon.lxc(["profile", "assign", "x", "default"]).ok();
    daemon.lxc(["profile", "delete", "big"]).ok();
    daemon.lxc(["profile", "delete", "biggest"]).ok();
    daemon.lxc(["profile", "delete", "default"]).fails();
}

#[test]
fn networks_and_storage() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let address = daemon.address("x").to_string();
    let list = daemon.lxc(["network", "list"]).text();
    assert!(list.contains("| mcbr0 ") && list.contains("| CREATED |"), "{list}");
    let show = daemon.lxc(["network", "show", "mcbr0"]).text();
    assert!(show.contains("ipv4.address: 10.") && show.contains("/1.0/instances/x"), "{show}");
    let leases = daemon.lxc(["network", "list-leases", "mcbr0"]).text();
    assert!(leases.contains(&address) && leases.contains("DYNAMIC"), "{leases}");
    let info = daemon.lxc(["network", "info", "mcbr0"]).text();
    assert!(info.contains("State: up") && info.contains("Bridge:"), "{info}");
    daemon
        .lxc(["network", "create", "lab1", "ipv4.address=10.77.1.1/24", "ipv6.address=none"])
        .ok();
    daemon.lxc(["network", "set", "lab1", "ipv4.dhcp", "false"]).ok();
    assert_eq!(daemon.lxc(["network", "get", "lab1", "ipv4.dhcp"]).text(), "false");
    daemon.lxc(["network", "delete", "lab1"]).ok();

    assert!(daemon.lxc(["storage", "list"]).text().contains("| CREATED |"));
    let show = daemon.lxc(["storage", "show", "default"]).text();
    assert!(show.contains("driver: dir") && show.contains("/1.0/instances/x"), "{show}");
    let info = daemon.lxc(["storage", "info", "default"]).text();
    assert!(info.contains("total space") && info.contains("space used"), "{info}");
    let volumes = daemon.lxc(["storage", "volume", "list", "default"]).text();
    assert!(volumes.contains("container") && volumes.contains("| x "), "{volumes}");
    daemon.lxc(["storage", "create", "more", "dir"]).ok();
    daemon.lxc(["launch", "busybox", "y", "-s", "more"]).ok();
    daemon.lxc(["delete", "y", "--force"]).ok();
    daemon.lxc(["storage", "delete", "more"]).ok();
}

#[test]
fn information_and_logs() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let address = daemon.address("x").to_string();
    for client in Client::BOTH {
        let info = daemon.run(client, &["info", "x"]).text();
        for word in ["Name: x", "RUNNING", "Processes:", &address, "CPU usage", "Memory usage"] {
            assert!(info.to_lowercase().contains(&word.to_lowercase()), "{word:?} in {info}");
        }
        daemon.run(client, &["info", "x", "--show-log"]).ok();
        daemon.run(client, &["info"]).ok();
    }
    daemon.cli(["info", "--resources"]).ok();
    daemon.sh("x", "echo from-the-console > /dev/console").ok();
    for client in Client::BOTH {
        until("the console's log has it", || {
            let log = daemon.run(client, &["console", "x", "--show-log"]).text();
            log.contains("from-the-console").then_some(())
        });
    }
    let version = daemon.lxc(["version"]).text();
    assert!(version.contains("Server version") && !version.contains("unreachable"), "{version}");
}

#[test]
fn server_settings() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["config", "show"]).ok();
    daemon.lxc(["config", "set", "user.note", "hello"]).ok();
    assert_eq!(daemon.lxc(["config", "get", "user.note"]).text(), "hello");
    daemon.lxc(["config", "set", "no.such.key", "1"]).fails_with("no.such.key");
    daemon.lxc(["query", "/1.0"]).ok();
    daemon.lxc(["cluster", "list"]).fails();
    daemon.lxc(["remote", "list"]).ok();
}

#[test]
fn events_are_seen() {
    let Some(daemon) = Daemon::ready() else { return };
    let words = ["monitor", "--type", "lifecycle", "--type", "operation", "--format", "json"];
    let watchers: Vec<Background> =
        Client::BOTH.map(|client| daemon.begin(client, &words, Vec::new())).into();
    // They listen when their connections are open; there is no other sign.
    std::thread::sleep(Duration::from_millis(500));
    daemon.busybox("x");
    daemon.cli(["stop", "x", "--force"]).ok();
    daemon.cli(["delete", "x"]).ok();
    std::thread::sleep(Duration::from_millis(200));
    for watcher in watchers {
        watcher.signal(rustix::process::Signal::TERM);
        let text = watcher.wait().shown();
        let events: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let actions: Vec<_> =
            events.iter().filter_map(|event| event["metadata"]["action"].as_str()).collect();
        for action in ["created", "started", "shutdown", "deleted"] {
            let action = format!("instance-{action}");
            let found = actions.contains(&action.as_str())
                || (action == "instance-shutdown" && actions.contains(&"instance-stopped"));
            assert!(found, "{action} in {actions:?}");
        }
        assert!(events.iter().any(|event| event["type"] == "operation"), "{text}");
    }
}

#[test]
fn operations_are_listed_and_cancelled() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let mut exec = daemon.begin(Client::Cli, &["exec", "x", "--", "sleep", "30"], Vec::new());
    let id = until("the exec is an operation", || {
        let csv = daemon.lxc(["operation", "list", "--format", "csv"]).text();
        let line = csv.lines().find(|line| line.to_lowercase().contains("command"))?;
        Some(line.split(',').next().unwrap_or_default().to_owned())
    });
    assert!(daemon.lxc(["operation", "show", &id]).text().contains("status: Running"));
    assert!(exec.runs());
    exec.signal(rustix::process::Signal::KILL);
    drop(exec.wait());
    until("it is over", || {
        let csv = daemon.lxc(["operation", "list", "--format", "csv"]).text();
        (!csv.contains(&id)).then_some(())
    });
}
