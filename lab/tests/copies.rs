//! Copies of instances, with both clients.

use lab::{Client, Daemon};
use serde_json::{Value, json};

fn config(daemon: &Daemon, path: &str, key: &str) -> Option<String> {
    daemon.get(path)["config"][key].as_str().map(str::to_owned)
}

fn names(daemon: &Daemon, instance: &str) -> Vec<String> {
    let all = daemon.get(&format!("/1.0/instances/{instance}/snapshots?recursion=1"));
    let name = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
    all.as_array().into_iter().flatten().map(name).collect()
}

/// An instance that runs, with a snapshot and a change after it.
fn web(daemon: &Daemon) {
    daemon.busybox("web");
    daemon.sh("web", "echo then > /root/note").ok();
    daemon.lxc(["config", "set", "web", "user.note=then"]).ok();
    daemon.lxc(["snapshot", "web", "before"]).ok();
    daemon.sh("web", "echo now > /root/note; sync").ok();
    daemon.lxc(["config", "set", "web", "user.note=now"]).ok();
}

#[test]
fn a_copy_has_files_options_and_snapshots_and_addresses_of_its_own() {
    let Some(daemon) = Daemon::ready() else { return };
    web(&daemon);
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        run(&["copy", "web", "db"]).ok();
        run(&["copy", "web", "far", "--storage", "second"]).ok();
        run(&["copy", "web/before", "old"]).ok();
        run(&["copy", "web", "bare", "--instance-only", "-c", "user.note=new"]).ok();
        assert_eq!(daemon.status("web"), "Running", "the source goes on");
        for (name, note, snapshots) in [
            ("db", "now", &["before"][..]),
            ("far", "now", &["before"]),
            ("old", "then", &[]),
            ("bare", "new", &[]),
        ] {
            let path = format!("/1.0/instances/{name}");
            assert_eq!(config(&daemon, &path, "user.note").as_deref(), Some(note), "{name}");
            assert_eq!(names(&daemon, name), snapshots, "{name}");
            for own in ["volatile.uuid", "volatile.eth0.hwaddr"] {
                let (copy, source) =
                    (config(&daemon, &path, own), config(&daemon, "/1.0/instances/web", own));
                assert!(copy.is_some() && copy != source, "{name} {own}: {copy:?} {source:?}");
            }
            run(&["start", name]).ok();
            let file = if name == "old" { "then" } else { "now" };
            assert_eq!(daemon.sh(name, "cat /root/note").text(), file, "{name}");
            run(&["stop", name, "--force"]).ok();
        }
        let pool = daemon.get("/1.0/instances/far")["expanded_devices"]["root"]["pool"].clone();
        assert_eq!(pool, "second");
        for name in ["db", "far"] {
            run(&["restore", name, "before"]).ok();
            run(&["start", name]).ok();
            assert_eq!(daemon.sh(name, "cat /root/note").text(), "then", "{name}");
            let path = format!("/1.0/instances/{name}");
            assert_eq!(config(&daemon, &path, "user.note").as_deref(), Some("then"), "{name}");
        }
        assert_eq!(daemon.sh("web", "cat /root/note").text(), "now");
        run(&["delete", "db", "far", "old", "bare", "--force"]).ok();
    }
    daemon.lxc(["delete", "web", "--force"]).ok();
    daemon.lxc(["storage", "delete", "second"]).ok();
}

#[test]
fn a_copy_into_another_project() {
    let Some(daemon) = Daemon::ready() else { return };
    web(&daemon);
    let create = ["project", "create", "lab", "-c", "features.profiles=false"];
    daemon.run(Client::Lxc, &[&create[..], &["-c", "features.images=false"]].concat()).ok();
    for client in Client::BOTH {
        daemon.run(client, &["copy", "web", "web", "--target-project", "lab"]).ok();
        let path = "/1.0/instances/web?project=lab";
        assert_eq!(config(&daemon, path, "user.note").as_deref(), Some("now"));
        daemon.run(client, &["delete", "web", "--project", "lab"]).ok();
    }
    daemon.lxc(["project", "delete", "lab"]).ok();
}

#[test]
fn what_cannot_be_copied_is_said() {
    let Some(daemon) = Daemon::ready() else { return };
    web(&daemon);
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        run(&["copy", "web", "web"]).fails_with("already exists");
        run(&["copy", "none", "db"]).fails_with("not found");
        run(&["copy", "web/none", "db"]).fails_with("not found");
        run(&["copy", "web", "a_b"]).fails_with("instance name");
        run(&["copy", "web", "db", "--storage", "none"]).fails_with("none");
        run(&["copy", "web", "db", "-p", "none"]).fails_with("profile");
        run(&["copy", "web", "db", "-c", "no.such.key=1"]).fails_with("no.such.key");
    }
    let copied = |source: Value| json!({ "name": "db", "source": source }).to_string();
    let nothing = copied(json!({ "type": "copy" }));
    assert_eq!(daemon.request("POST", "/1.0/instances", &nothing).status, 400);
    assert_eq!(daemon.urls("instances"), ["/1.0/instances/web"]);
}

#[test]
fn a_move_takes_files_and_snapshots_along() {
    let Some(daemon) = Daemon::ready() else { return };
    web(&daemon);
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    let create = ["project", "create", "lab", "-c", "features.profiles=false"];
    daemon.run(Client::Lxc, &[&create[..], &["-c", "features.images=false"]].concat()).ok();
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        let hwaddr = config(&daemon, "/1.0/instances/web", "volatile.eth0.hwaddr");
        if client == Client::Cli {
            run(&["move", "web", "db", "--storage", "second"]).fails_with("running");
        }
        run(&["stop", "web", "--force"]).ok();
        run(&["move", "web", "db"]).ok();
        run(&["move", "db", "--storage", "second"]).ok();
        let expanded = daemon.get("/1.0/instances/db")["expanded_devices"].clone();
        assert_eq!(expanded["root"]["pool"], "second");
        assert_eq!(config(&daemon, "/1.0/instances/db", "volatile.eth0.hwaddr"), hwaddr);
        assert_eq!(names(&daemon, "db"), ["before"]);
        let left = daemon.folder().join("storage-pools/default/containers");
        assert_eq!(std::fs::read_dir(left).into_iter().flatten().count(), 0, "{client:?}");
        run(&["move", "db", "--storage", "none"]).fails_with("none");
        run(&["move", "db", "--target-project", "none"]).fails_with("none");
        run(&["move", "db", "web", "--storage", "default"]).ok();
        run(&["move", "web", "--target-project", "lab"]).ok();
        assert!(daemon.urls("instances").is_empty());
        run(&["restore", "web", "before", "--project", "lab"]).ok();
        run(&["move", "web", "--project", "lab", "--target-project", "default"]).ok();
        run(&["start", "web"]).ok();
        assert_eq!(daemon.sh("web", "cat /root/note").text(), "then");
    }
    daemon.lxc(["delete", "web", "--force"]).ok();
    daemon.lxc(["project", "delete", "lab"]).ok();
    daemon.lxc(["storage", "delete", "second"]).ok();
}

#[test]
fn a_copy_that_starts_at_once_and_a_move_without_snapshots() {
    let Some(daemon) = Daemon::ready() else { return };
    web(&daemon);
    daemon.cli(["copy", "web", "db", "--start"]).ok();
    daemon.await_status("db", "Running");
    assert_eq!(daemon.sh("db", "cat /root/note").text(), "now");
    daemon.lxc(["stop", "web", "db", "--force"]).ok();
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    daemon.cli(["move", "db", "--storage", "second", "--instance-only"]).ok();
    assert_eq!(names(&daemon, "db"), Vec::<String>::new());
    daemon.lxc(["start", "db"]).ok();
    assert_eq!(daemon.sh("db", "cat /root/note").text(), "now");
    // Within its pool, by a request: clients leave it out with a new name.
    let body =
        json!({ "name": "www", "pool": "default", "migration": true, "instance_only": true });
    let reply = daemon.request("POST", "/1.0/instances/web", &body.to_string());
    assert_eq!(reply.status, 202);
    daemon.await_idle();
    assert_eq!(names(&daemon, "www"), Vec::<String>::new());
    let kept = daemon.folder().join("storage-pools/default/containers/www/snapshots");
    assert_eq!(std::fs::read_dir(kept).into_iter().flatten().count(), 0);
    daemon.lxc(["delete", "www", "db", "--force"]).ok();
    daemon.lxc(["storage", "delete", "second"]).ok();
}

#[test]
fn a_copy_is_brought_up_to_date() {
    let Some(daemon) = Daemon::ready() else { return };
    web(&daemon);
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        daemon.sh("web", "echo now > /root/note; mkdir -p /srv/a; echo 1 > /srv/a/f; sync").ok();
        run(&["copy", "web", "db", "--refresh"]).ok();
        run(&["copy", "web", "far", "--storage", "second"]).ok();
        run(&["config", "set", "db", "user.note=own"]).ok();
        daemon.sh("web", "echo later > /root/note; rm -r /srv/a; ln /root/note /root/twin").ok();
        run(&["snapshot", "web", "between"]).ok();
        run(&["delete", "web/before"]).ok();
        daemon.sh("web", "echo last > /root/note; sync").ok();
        for name in ["db", "far"] {
            run(&["start", name]).ok();
            daemon.sh(name, "echo mine > /root/mine").ok();
            run(&["copy", "web", name, "--refresh"]).fails_with("running");
            run(&["stop", name, "--force"]).ok();
            let uuid = config(&daemon, &format!("/1.0/instances/{name}"), "volatile.uuid");
            // The stock client also replaces the copy's devices, and so forgets its pool.
            let by = if name == "far" { Client::Cli } else { client };
            daemon.run(by, &["copy", "web", name, "--refresh"]).ok();
            assert_eq!(daemon.status("web"), "Running", "the source goes on");
            assert_eq!(names(&daemon, name), ["between"]);
            let path = format!("/1.0/instances/{name}");
            assert_eq!(config(&daemon, &path, "volatile.uuid"), uuid, "its options stay");
            run(&["start", name]).ok();
            let look = "cat /root/note; stat -c %h /root/note; ls -d /root/mine /srv/a 2>/dev/null";
            assert_eq!(daemon.sh(name, look).shown().trim(), "last\n2", "{name}");
            run(&["stop", name, "--force"]).ok();
            run(&["restore", name, "between"]).ok();
            run(&["start", name]).ok();
            assert_eq!(daemon.sh(name, "cat /root/note").text(), "later", "{name}");
        }
        run(&["snapshot", "web", "before"]).ok();
        run(&["delete", "web/between"]).ok();
        daemon.sh("web", "rm /root/twin").ok();
        run(&["delete", "db", "far", "--force"]).ok();
    }
    daemon.lxc(["delete", "web", "--force"]).ok();
    daemon.lxc(["storage", "delete", "second"]).ok();
}
