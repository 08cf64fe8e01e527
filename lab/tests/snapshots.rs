//! Snapshots of instances, with both clients.

use lab::{Client, Daemon, until};
use serde_json::{Value, json};

fn snapshots(daemon: &Daemon, instance: &str) -> Vec<Value> {
    let path = format!("/1.0/instances/{instance}/snapshots?recursion=1");
    daemon.get(&path).as_array().cloned().unwrap_or_default()
}

fn names(daemon: &Daemon, instance: &str) -> Vec<String> {
    let name = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
    snapshots(daemon, instance).iter().map(name).collect()
}

#[test]
fn a_snapshot_brings_files_and_options_back() {
    let Some(daemon) = Daemon::ready() else { return };
    for client in Client::BOTH {
        daemon.busybox("web");
        let run = |words: &[&str]| daemon.run(client, words);
        daemon.sh("web", "echo then > /root/note; echo kept > /etc/kept").ok();
        run(&["config", "set", "web", "user.note=then"]).ok();
        run(&["snapshot", "web", "before"]).ok();
        daemon.sh("web", "echo now > /root/note; rm /etc/kept; touch /root/new").ok();
        run(&["config", "set", "web", "user.note=now"]).ok();
        let info = run(&["info", "web"]).text();
        assert!(info.contains("Snapshots:") && info.contains("before"), "{info}");
        let init = daemon.init_of("web");

        run(&["restore", "web", "before"]).ok();
        daemon.await_status("web", "Running");
        assert_ne!(daemon.init_of("web"), init, "it was started again");
        let seen = "cat /root/note /etc/kept; ls /root/new 2>/dev/null; true";
        assert_eq!(daemon.sh("web", seen).text(), "then\nkept");
        assert_eq!(run(&["config", "get", "web", "user.note"]).text(), "then");

        run(&["rename", "web/before", "web/after"]).ok();
        assert_eq!(names(&daemon, "web"), ["after"]);
        run(&["stop", "web", "--force"]).ok();
        run(&["rename", "web", "www"]).ok();
        run(&["restore", "www", "after"]).ok();
        daemon.await_status("www", "Stopped");
        run(&["snapshot", "www"]).ok();
        run(&["snapshot", "www"]).ok();
        assert_eq!(names(&daemon, "www"), ["after", "snap0", "snap1"]);
        run(&["delete", "www/snap0"]).ok();
        assert_eq!(names(&daemon, "www"), ["after", "snap1"]);
        let full = daemon.get("/1.0/instances?recursion=2");
        assert_eq!(full[0]["snapshots"].as_array().map(Vec::len), Some(2), "{full}");
        run(&["delete", "www"]).ok();
        let left = daemon.folder().join("storage-pools/default/containers");
        let left: Vec<_> = std::fs::read_dir(left).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn one_that_runs_goes_on_after_its_snapshot() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("web");
    let count = "while :; do echo x >> /root/count; usleep 1000; done";
    let writer = daemon.begin(Client::Cli, &["exec", "web", "--", "sh", "-c", count], Vec::new());
    until("it writes", || daemon.sh("web", "test -s /root/count").status.eq(&0).then_some(()));
    let init = daemon.init_of("web");
    daemon.lxc(["snapshot", "web", "a"]).ok();
    assert_eq!((daemon.status("web").as_str(), daemon.init_of("web")), ("Running", init));
    let size = || daemon.sh("web", "wc -c < /root/count").text();
    let before = size();
    until("it writes on", || (size() != before).then_some(()));
    writer.signal(rustix::process::Signal::KILL);
    drop(writer.wait());
    // One that a client paused stays so.
    daemon.lxc(["pause", "web"]).ok();
    daemon.lxc(["snapshot", "web", "b"]).ok();
    assert_eq!(daemon.status("web"), "Frozen");
}

#[test]
fn what_cannot_be_is_said_in_one_line() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["init", "busybox", "web"]).ok();
    daemon.lxc(["snapshot", "web", "a"]).ok();
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        for bad in ["a b", "..", ".hidden", "a:b", "\u{1}"] {
            let error = run(&["snapshot", "web", bad]).fails_with("snapshot name");
            assert_eq!(error.trim().lines().count(), 1, "{error}");
        }
        run(&["snapshot", "web", "a/b"]).fails();
        run(&["snapshot", "web", "a"]).fails_with("already exists");
        run(&["snapshot", "none", "a"]).fails_with("not found");
        run(&["restore", "web", "none"]).fails_with("not found");
        run(&["delete", "web/none"]).fails_with("not found");
        run(&["rename", "web/none", "web/b"]).fails_with("not found");
        run(&["config", "set", "web", "snapshots.pattern", "a b"]).fails_with("snapshots.pattern");
        run(&["config", "set", "web", "snapshots.schedule", "often"])
            .fails_with("snapshots.schedule");
        run(&["config", "set", "web", "snapshots.expiry", "1 moon"]).fails_with("snapshots.expiry");
    }
    let path = "/1.0/instances/web/snapshots";
    for (body, status) in [
        (json!({ "name": "b", "stateful": true }), 400),
        (json!({ "name": "b", "expires_at": "2001-01-01T00:00:00Z" }), 400),
        (json!({ "name": 5 }), 400),
    ] {
        assert_eq!(daemon.request("POST", path, &body.to_string()).status, status, "{body}");
    }
    assert_eq!(names(&daemon, "web"), ["a"]);
    // A snapshot remembers a profile that is gone: then there is no way back.
    daemon.lxc(["profile", "create", "big"]).ok();
    daemon.lxc(["profile", "add", "web", "big"]).ok();
    daemon.lxc(["snapshot", "web", "b"]).ok();
    daemon.lxc(["profile", "remove", "web", "big"]).ok();
    daemon.lxc(["profile", "delete", "big"]).ok();
    daemon.lxc(["restore", "web", "b"]).fails_with("profile \"big\" not found");
}

#[test]
fn names_and_ends_follow_the_options() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["init", "busybox", "web"]).ok();
    daemon.lxc(["config", "set", "web", "snapshots.expiry", "2d"]).ok();
    let pattern = "auto-{{ creation_date|date:'2006' }}-%d";
    daemon.lxc(["config", "set", "web", "snapshots.pattern", pattern]).ok();
    daemon.lxc(["snapshot", "web"]).ok();
    let auto = names(&daemon, "web").remove(0);
    assert!(auto.starts_with("auto-20") && auto.ends_with("-0"), "{auto}");
    daemon.lxc(["snapshot", "web", "kept", "--no-expiry"]).ok();
    let info = daemon.lxc(["info", "web"]).text();
    assert!(info.contains(&auto) && info.contains("kept"), "{info}");
    let ends: Vec<_> = snapshots(&daemon, "web").iter().map(|s| s["expires_at"].clone()).collect();
    assert!(ends[0].as_str().is_some_and(|end| end.starts_with("20")), "{ends:?}");
    assert_eq!(ends[1], "0001-01-01T00:00:00Z");
    // `config edit` of a snapshot changes its end.
    let text = b"expires_at: 2099-01-02T03:04:05Z\n".to_vec();
    daemon.run_with(Client::Lxc, &["config", "edit", "web/kept"], text).ok();
    let shown = daemon.lxc(["config", "show", "web/kept"]).text();
    assert!(shown.contains("2099-01-02T03:04:05Z"), "{shown}");
    let path = "/1.0/instances/web/snapshots/kept";
    let patch = json!({ "expires_at": "0001-01-01T00:00:00Z" }).to_string();
    assert_eq!(daemon.request("PATCH", path, &patch).status, 202);
    assert_eq!(daemon.get(path)["expires_at"], "0001-01-01T00:00:00Z");
    daemon.cli(["snapshot", "web", "kept", "--reuse"]).ok();
    assert_eq!(names(&daemon, "web"), [auto.as_str(), "kept"]);
}

#[test]
fn a_start_is_kept_and_our_client_changes_the_end_of_a_snapshot() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["init", "busybox", "web"]).ok();
    daemon.lxc(["config", "set", "web", "snapshots.schedule", "@daily, @startup"]).ok();
    daemon.lxc(["start", "web"]).ok();
    until("the start is kept", || (names(&daemon, "web") == ["snap0"]).then_some(()));
    let text = b"expires_at: 2099-01-02T03:04:05Z\n".to_vec();
    daemon.run_with(Client::Cli, &["config", "edit", "web/snap0"], text).ok();
    let shown = daemon.cli(["config", "show", "web/snap0"]).text();
    assert!(shown.contains("2099-01-02T03:04:05Z"), "{shown}");
    daemon.cli(["config", "show", "web/none"]).fails_with("not found");
    daemon.cli(["snapshot", "web", "a"]).ok();
    daemon.cli(["delete", "web/a", "web/snap0"]).ok();
    assert!(names(&daemon, "web").is_empty(), "several go at one word");
}
