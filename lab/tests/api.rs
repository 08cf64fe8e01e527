//! The API as programs use it: envelope, recursion, PATCH, entity tags, operations, metadata.

use lab::Daemon;
use serde_json::{Value, json};

#[test]
fn envelopes() {
    let Some(daemon) = Daemon::ready() else { return };
    let reply = daemon.request("GET", "/1.0", "");
    assert_eq!((reply.status, reply.body["type"].as_str()), (200, Some("sync")));
    assert_eq!(reply.body["status_code"], 200);
    assert_eq!(
        (&reply.body["metadata"]["api_version"], &reply.body["metadata"]["auth"]),
        (&json!("1.0"), &json!("trusted"))
    );
    let reply = daemon.request("GET", "/1.0/instances/none", "");
    assert_eq!(
        (reply.body["type"].as_str(), reply.body["error_code"].as_u64()),
        (Some("error"), Some(404))
    );
    let body = json!({ "name": "x", "source": { "type": "image", "alias": "busybox" } });
    let reply = daemon.request("POST", "/1.0/instances", &body.to_string());
    assert_eq!((reply.status, reply.body["type"].as_str()), (202, Some("async")));
    let url = reply.body["operation"].as_str().unwrap_or_default().to_owned();
    let end = daemon.get(&format!("{url}/wait?timeout=20"));
    assert_eq!((&end["status"], &end["status_code"]), (&json!("Success"), &json!(200)), "{end}");
    assert_eq!(end["resources"]["instances"][0], "/1.0/instances/x");
    assert_eq!(daemon.request("GET", "/", "").body["metadata"][0], "/1.0");
}

#[test]
fn lists_in_three_depths() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.cli(["create", "local:busybox", "y"]).ok();
    assert_eq!(daemon.get("/1.0/instances"), json!(["/1.0/instances/x", "/1.0/instances/y"]));
    let list = daemon.get("/1.0/instances?recursion=1");
    assert_eq!((&list[0]["name"], &list[0]["state"]), (&json!("x"), &Value::Null));
    let list = daemon.get("/1.0/instances?recursion=2");
    assert_eq!(
        (&list[0]["state"]["status"], &list[1]["state"]["status"]),
        (&json!("Running"), &json!("Stopped"))
    );
    let list = daemon.get("/1.0/instances?recursion=1&filter=status%20eq%20Running");
    assert_eq!((&list[0]["name"], &list[1]), (&json!("x"), &Value::Null));
    // The older name of the same.
    assert_eq!(daemon.get("/1.0/containers/x")["name"], "x");
    for kind in ["images", "profiles", "networks", "storage-pools", "projects"] {
        let urls = daemon.urls(kind);
        let things = daemon.get(&format!("/1.0/{kind}?recursion=1"));
        assert_eq!(things.as_array().map(Vec::len), Some(urls.len()), "{kind}");
        for url in urls {
            assert!(daemon.get(&url).is_object(), "{url}");
        }
    }
}

#[test]
fn a_list_shows_each_as_it_is_alone_and_as_it_is_now() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.cli(["create", "local:busybox", "y"]).ok();
    daemon.cli(["project", "create", "other", "-c", "features.images=false"]).ok();
    daemon
        .cli([
            "--project",
            "other",
            "create",
            "local:busybox",
            "x",
            "--no-profiles",
            "-s",
            "default",
        ])
        .ok();
    let agree = || {
        let list = daemon.get("/1.0/instances?recursion=1&all-projects=true");
        let full = daemon.get("/1.0/instances?recursion=2&all-projects=true");
        let chosen =
            daemon.get("/1.0/instances?recursion=2&all-projects=true&filter=name%20ne%20none");
        for (index, project, name) in [(0, "default", "x"), (1, "default", "y"), (2, "other", "x")]
        {
            let alone = format!("/1.0/instances/{name}?project={project}");
            assert_eq!(list[index], daemon.get(&alone), "{project} {name}");
            let alone = steady(daemon.get(&format!("{alone}&recursion=1")));
            assert_eq!(steady(full[index].clone()), alone, "{project} {name}");
            assert_eq!(steady(chosen[index].clone()), alone, "{project} {name}");
        }
        let status = |one: &Value| one["status"].as_str().map(str::to_owned).unwrap_or_default();
        full.as_array().into_iter().flatten().map(status).collect::<Vec<_>>()
    };
    assert_eq!(agree(), ["Running", "Stopped", "Stopped"]);
    daemon.cli(["config", "set", "y", "user.note", "a \"new\" word"]).ok();
    daemon.cli(["snapshot", "y", "first"]).ok();
    daemon.cli(["start", "y"]).ok();
    assert_eq!(agree(), ["Running", "Running", "Stopped"]);
    let list = daemon.get("/1.0/instances?recursion=2");
    assert_eq!(list[1]["config"]["user.note"], "a \"new\" word");
    assert_eq!(list[1]["snapshots"][0]["name"], "first");
    daemon.cli(["pause", "x"]).ok();
    daemon.cli(["stop", "-f", "y"]).ok();
    assert_eq!(agree(), ["Frozen", "Stopped", "Stopped"]);
    daemon.cli(["profile", "set", "default", "user.of", "all"]).ok();
    assert_eq!(daemon.get("/1.0/instances?recursion=1")[0]["expanded_config"]["user.of"], "all");
    daemon.cli(["delete", "-f", "x"]).ok();
    assert_eq!(daemon.get("/1.0/instances?recursion=1")[0]["name"], "y");
}

/// Without what changes from one look to the next.
fn steady(mut full: Value) -> Value {
    for counted in ["cpu", "memory", "processes", "network"] {
        if let Some(state) = full["state"].as_object_mut() {
            assert!(state.remove(counted).is_some(), "{counted}");
        }
    }
    full
}

#[test]
fn patch_changes_what_it_names_and_put_all_of_it() {
    let Some(daemon) = Daemon::ready() else { return };
    let make =
        json!({ "name": "p", "config": { "user.a": "1", "user.b": "2" }, "description": "old" });
    assert!(daemon.request("POST", "/1.0/profiles", &make.to_string()).status < 300);
    let patch = json!({ "config": { "user.b": "3" } });
    assert!(daemon.request("PATCH", "/1.0/profiles/p", &patch.to_string()).status < 300);
    let profile = daemon.get("/1.0/profiles/p");
    assert_eq!(profile["config"], json!({ "user.a": "1", "user.b": "3" }));
    assert_eq!(profile["description"], "old");
    let put = json!({ "config": { "user.c": "4" } });
    assert!(daemon.request("PUT", "/1.0/profiles/p", &put.to_string()).status < 300);
    let profile = daemon.get("/1.0/profiles/p");
    assert_eq!(
        (&profile["config"], &profile["description"]),
        (&json!({ "user.c": "4" }), &json!(""))
    );
}

#[test]
fn options_are_documented_by_the_server() {
    let Some(daemon) = Daemon::start() else { return };
    let metadata = daemon.get("/1.0/metadata/configuration").to_string();
    for key in ["limits.memory", "boot.autostart", "ipv4.address", "security.nesting"] {
        assert!(metadata.contains(&format!("\"{key}\"")), "{key}");
    }
}

#[test]
fn a_wait_ends_with_its_time() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let exec = json!({ "command": ["sleep", "30"], "wait-for-websocket": false });
    let reply = daemon.request("POST", "/1.0/instances/x/exec", &exec.to_string());
    let url = reply.body["operation"].as_str().unwrap_or_default().to_owned();
    let start = std::time::Instant::now();
    let end = daemon.request("GET", &format!("{url}/wait?timeout=1"), "");
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{end:?}");
    assert_eq!(end.body["metadata"]["status"], "Running", "{end:?}");
    daemon.cli(["stop", "x", "--force"]).ok();
    let end = daemon.get(&format!("{url}/wait?timeout=10"));
    assert_ne!(end["status"], "Running", "{end}");
}

#[test]
fn people_without_rights_are_told_so() {
    use std::os::unix::process::CommandExt;
    let Some(daemon) = Daemon::start() else { return };
    let mut command = daemon.command(lab::Client::Cli);
    command.arg("list").uid(65534).gid(65534);
    // The temporary folder is closed to others; a daemon's usual one is not.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    let place = daemon.folder().parent().map(|path| std::fs::set_permissions(path, open));
    assert!(place.is_some_and(|set| set.is_ok()));
    let run = lab::Background::start(command, Vec::new()).wait();
    run.fails_with("usermod -aG microcloud");
}

#[test]
fn a_daemon_that_does_not_run_is_told_how_to_start() {
    let Some(mut daemon) = Daemon::start() else { return };
    daemon.stop();
    daemon.cli(["list"]).fails_with("microcloud daemon");
    daemon.lxc(["list"]).fails();
    daemon.launch();
}
