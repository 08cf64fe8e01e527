//! What people and programs get wrong: one clear error each, and nothing changes.

use std::fs;

use lab::{
    Client, Daemon,
    images::{Evil, evil},
};
use serde_json::{Value, json};

/// All there is, without what changes by itself.
fn everything(daemon: &Daemon) -> Value {
    let mut all = serde_json::Map::new();
    for kind in ["instances", "images", "profiles", "networks", "storage-pools", "projects"] {
        all.insert(kind.to_owned(), daemon.get(&format!("/1.0/{kind}?recursion=1")));
    }
    all.into()
}

/// Waits for an operation and gives its error; that of the request where it made none.
fn refusal(daemon: &Daemon, method: &str, path: &str, body: &Value) -> (u16, String) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = daemon.request(method, path, &body);
    match reply.body["operation"].as_str().filter(|_| reply.status == 202) {
        Some(operation) => {
            let end = daemon.get(&format!("{operation}/wait?timeout=30"));
            let code = end["status_code"].as_u64().unwrap_or_default();
            let error = end["err"].as_str().unwrap_or_default().to_owned();
            (u16::try_from(code).unwrap_or_default(), error)
        }
        None => (reply.status, reply.error().to_owned()),
    }
}

fn instance(name: &str, config: Value) -> Value {
    let source = json!({ "type": "image", "alias": "busybox" });
    json!({ "name": name, "source": source, "config": config })
}

#[test]
fn requests_that_make_no_sense() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let before = everything(&daemon);
    let none = json!({});
    let pool = json!({ "name": "p", "driver": "dir", "config": { "no.key": "1" } });
    let bridge = |config: Value| json!({ "name": "n0", "type": "bridge", "config": config });
    let disk = |path: &str| {
        let device = json!({ "type": "disk", "source": "/etc", "path": path, "colour": "red" });
        json!({ "name": "y", "source": { "type": "none" }, "devices": { "d": device } })
    };
    let posts: Vec<(&str, Value, u16, &str)> = vec![
        ("instances", instance("y", json!({ "no.such.key": "1" })), 400, "no.such.key"),
        ("instances", instance("y", json!({ "limits.memory": "lots" })), 400, "limits.memory"),
        ("instances", instance("y", json!({ "limits.memory": "-5MiB" })), 400, "limits.memory"),
        ("instances", instance("y", json!({ "limits.cpu": "0" })), 400, "limits.cpu"),
        ("instances", instance("y", json!({ "limits.processes": "many" })), 400, "processes"),
        ("instances", instance("y", json!({ "boot.autostart": "perhaps" })), 400, "boot.autostart"),
        ("instances", instance("a/b", none.clone()), 400, "name"),
        ("instances", instance("../y", none.clone()), 400, "name"),
        ("instances", instance(".", none.clone()), 400, "name"),
        ("instances", instance("a.b", none.clone()), 400, "name"),
        ("instances", instance("a b", none.clone()), 400, "name"),
        ("instances", instance("a\nb", none.clone()), 400, "name"),
        ("instances", instance("a\u{0}b", none.clone()), 400, "name"),
        ("instances", instance("-a", none.clone()), 400, "name"),
        ("instances", instance("1", none.clone()), 400, "name"),
        ("instances", instance(&"a".repeat(64), none.clone()), 400, "name"),
        ("instances", instance("über", none.clone()), 400, "name"),
        ("instances", instance("x", none.clone()), 409, "already exists"),
        ("instances", disk("/mnt"), 400, "colour"),
        ("instances", json!({ "name": "y" }), 400, "source"),
        ("instances", json!({ "name": "y", "source": { "type": "warp" } }), 400, "warp"),
        ("instances", json!({ "name": 5 }), 400, ""),
        ("profiles", json!({ "name": "a/b" }), 400, "name"),
        ("profiles", json!({ "name": "default" }), 409, "already exists"),
        ("profiles", json!({ "name": "p", "config": { "no.key": "1" } }), 400, "no.key"),
        ("projects", json!({ "name": "a/b" }), 400, "name"),
        ("projects", json!({ "name": "p", "config": { "no.key": "1" } }), 400, "no.key"),
        ("storage-pools", pool, 400, "no.key"),
        ("storage-pools", json!({ "name": "p", "driver": "clay" }), 400, "clay"),
        ("storage-pools", json!({ "name": "../p", "driver": "dir" }), 400, "name"),
        ("networks", bridge(json!({ "ipv4.address": "10.1.2.3/99" })), 400, "ipv4.address"),
        ("networks", bridge(json!({ "ipv4.nat": "never" })), 400, "ipv4.nat"),
        ("networks", bridge(json!({ "no.key": "1" })), 400, "no.key"),
        ("networks", json!({ "name": "name-longer-than-a-link", "type": "bridge" }), 400, "name"),
        ("networks", json!({ "name": "a/b", "type": "bridge" }), 400, "name"),
        ("networks", json!({ "name": "n0", "type": "tunnel" }), 400, "tunnel"),
        (
            "images",
            json!({ "source": { "type": "image", "alias": "none/1",
            "protocol": "microcloud-build" } }),
            400,
            "none/1",
        ),
    ];
    for (kind, body, status, words) in posts {
        let (got, error) = refusal(&daemon, "POST", &format!("/1.0/{kind}"), &body);
        assert_eq!(got, status, "{kind} {body}: {error}");
        assert!(error.contains(words), "{kind} {body}: {error:?} should name {words:?}");
        assert!(!error.contains('\n'), "{kind} {body}: {error:?}");
    }
    assert_eq!(everything(&daemon), before, "something changed");
}

#[test]
fn things_that_are_not_there_and_ways_that_lead_nowhere() {
    let Some(daemon) = Daemon::start() else { return };
    for kind in ["instances", "images", "profiles", "networks", "storage-pools", "projects"] {
        let path = format!("/1.0/{kind}/none");
        assert_eq!(daemon.request("GET", &path, "").status, 404, "{path}");
        assert_eq!(daemon.request("DELETE", &path, "").status, 404, "{path}");
        assert_eq!(daemon.request("PATCH", &path, "{}").status, 404, "{path}");
    }
    for path in ["/", "/1.0/", "/1.0/instances/x/state", "/2.0", "/1.0/nothing", "/1.0/../etc"] {
        let status = daemon.request("GET", path, "").status;
        assert!(status == 404 || (path == "/" && status == 200), "{path}: {status}");
    }
    assert_eq!(daemon.request("GET", "/1.0/operations/none", "").status, 404);
    assert_eq!(daemon.request("GET", "/1.0/images/aliases/none", "").status, 404);
    assert_eq!(daemon.request("DELETE", "/1.0", "").status, 405);
    assert_eq!(daemon.request("BREW", "/1.0/instances", "").status, 405);
}

#[test]
fn bodies_that_are_no_json_or_too_large() {
    let Some(daemon) = Daemon::ready() else { return };
    for body in ["{", "[]", "nonsense", "\"text\"", "{\"name\": \"y\"} trailing", "\u{0}"] {
        let reply = daemon.request("POST", "/1.0/instances", body);
        assert_eq!(reply.status, 400, "{body:?}: {reply:?}");
        assert!(!reply.error().is_empty(), "{body:?}: {reply:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(daemon.request("POST", "/1.0/profiles", &deep).status, 400);
    let huge = format!("{{\"name\": \"y\", \"description\": \"{}\"}}", "a".repeat(64 << 20));
    let status = match daemon.try_request("POST", "/1.0/profiles", &[], huge.as_bytes()) {
        Ok(reply) => reply.status,
        // It may hang up on who does not stop sending.
        Err(_) => 413,
    };
    assert!([400, 413].contains(&status), "{status}");
    assert_eq!(daemon.urls("profiles").len(), 1);
    assert_eq!(daemon.urls("instances").len(), 0);
}

#[test]
fn a_change_of_what_somebody_else_changed_is_refused() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let pairs = ["instances/x", "profiles/default", "networks/mcbr0", "storage-pools/default"];
    for path in pairs.map(|path| format!("/1.0/{path}")) {
        let seen = daemon.request("GET", &path, "").etag;
        let seen = seen.unwrap_or_else(|| panic!("{path} has no entity tag"));
        let patch = |seen: &str, note: &str| {
            let body = json!({ "config": { "user.note": note } }).to_string();
            let headers = [("If-Match", seen), ("Content-Type", "application/json")];
            let reply = daemon.try_request("PATCH", &path, &headers, body.as_bytes());
            reply.unwrap_or_else(|e| panic!("{path}: {e}"))
        };
        assert!(patch(&seen, "first").status < 300, "{path}");
        let late = patch(&seen, "second");
        assert_eq!(late.status, 412, "{path}: {late:?}");
        assert_eq!(daemon.get(&path)["config"]["user.note"], "first", "{path}");
        let now = daemon.request("GET", &path, "").etag.unwrap_or_default();
        assert_ne!(now, seen, "{path}");
        assert!(patch(&now, "third").status < 300, "{path}");
    }
}

#[test]
fn two_launches_of_one_name_at_once() {
    let Some(daemon) = Daemon::ready() else { return };
    for turn in 0..5 {
        let body = instance("x", json!({ "user.turn": turn.to_string() }));
        let outcomes: Vec<(u16, String)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| refusal(&daemon, "POST", "/1.0/instances", &body)))
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        let won = outcomes.iter().filter(|(status, _)| *status == 200).count();
        assert_eq!(won, 1, "{outcomes:?}");
        for (status, error) in outcomes.iter().filter(|(status, _)| *status != 200) {
            assert!(*status == 409, "turn {turn}: {status} {error}");
        }
        daemon.cli(["delete", "x", "--force"]).ok();
        daemon.no_instance_left();
    }
}

#[test]
fn a_second_daemon_on_the_same_folder_does_not_start() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let second = lab::Background::start(daemon.daemon_command(), Vec::new());
    let run = second.limit(std::time::Duration::from_secs(10)).wait();
    assert_ne!(run.status, 0, "{run}");
    let said = format!("{}{}", run.shown(), run.stderr);
    let folder = daemon.folder().display().to_string();
    assert!(said.contains(&folder) || said.contains("already"), "{said}");
    // The first one goes on as if nothing had happened, and keeps its socket.
    assert_eq!(daemon.cli(["exec", "x", "--", "hostname"]).text(), "x");
    daemon.lxc(["config", "set", "x", "user.a", "1"]).ok();
}

#[test]
fn what_is_in_use_cannot_be_deleted() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.cli(["profile", "create", "used"]).ok();
    daemon.cli(["profile", "add", "x", "used"]).ok();
    daemon.cli(["project", "create", "p"]).ok();
    daemon.cli(["--project", "p", "profile", "create", "there"]).ok();
    for path in ["networks/mcbr0", "storage-pools/default", "profiles/used"] {
        let (status, error) = refusal(&daemon, "DELETE", &format!("/1.0/{path}"), &Value::Null);
        assert_eq!(status, 400, "{path}: {error}");
        assert!(error.contains("in use"), "{path}: {error}");
    }
    daemon.cli(["profile", "delete", "default"]).fails();
    daemon.cli(["project", "delete", "p"]).fails_with("in use");
    daemon.cli(["delete", "x"]).fails_with("--force");
    daemon.cli(["config", "set", "x", "security.protection.delete=true"]).ok();
    daemon.cli(["stop", "x", "--force"]).ok();
    daemon.lxc(["delete", "x"]).fails_with("security.protection.delete");
    daemon.cli(["start", "x"]).ok();
    daemon.cli(["start", "x"]).fails_with("running");
    daemon.sh("x", "ping -c 1 -W 2 127.0.0.1").ok();
}

/// An image is refused when it comes in; or, as only its head is read then, when it is unpacked.
#[track_caller]
fn refused(daemon: &Daemon, client: Client, file: &std::path::Path, name: &str) {
    let run = daemon.run(client, &["image", "import", &file.to_string_lossy(), "--alias", name]);
    if run.status == 0 {
        daemon.lxc(["launch", name, "y"]).fails();
        assert_eq!(daemon.status("y"), "", "{name}: half an instance");
        daemon.lxc(["image", "delete", name]).ok();
    } else {
        run.fails();
    }
}

#[test]
fn images_that_are_damaged_or_hostile() {
    let Some(daemon) = Daemon::ready() else { return };
    let scratch = daemon.scratch();
    let whole = scratch.join("whole");
    daemon.cli(["image", "export", "busybox", &whole.to_string_lossy()]).ok();
    let bytes = fs::read(&whole).unwrap_or_else(|e| panic!("{e}"));
    let mut flipped = bytes.clone();
    for at in (1000..flipped.len()).step_by(997) {
        flipped[at] ^= 0x5a;
    }
    let broken: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("text", b"this is no image\n"),
        ("half", &bytes[..bytes.len() / 2]),
        ("flipped", &flipped),
        ("zeros", &[0; 10240]),
    ];
    for (name, contents) in broken {
        let file = scratch.join(name);
        fs::write(&file, contents).unwrap_or_else(|e| panic!("{e}"));
        refused(&daemon, Client::Cli, &file, name);
        refused(&daemon, Client::Lxc, &file, name);
    }
    let outside = scratch.join("outside");
    let absolute = outside.to_string_lossy().into_owned();
    let up = "rootfs/../../../../../../../../tmp/microcloud-lab-evil";
    let hostile: [(&str, &[Evil<'_>]); 4] = [
        ("absolute", &[Evil::File(&absolute)]),
        ("up", &[Evil::File(up)]),
        (
            "link-out",
            &[Evil::Link("rootfs/out", "/tmp"), Evil::File("rootfs/out/microcloud-lab-evil")],
        ),
        (
            "link-up",
            &[Evil::Link("rootfs/a", "../../.."), Evil::File("rootfs/a/microcloud-lab-evil")],
        ),
    ];
    for (name, entries) in hostile {
        let file = scratch.join(format!("{name}.tar"));
        evil(&file, entries);
        // Such an entry is refused when it comes in, or left out when it is unpacked.
        let path = file.to_string_lossy();
        let import = ["image", "import", &path, "--alias", name];
        if daemon.run(Client::Lxc, &import).status == 0 {
            daemon.cli(["launch", &format!("local:{name}"), "y"]).fails();
            daemon.lxc(["image", "delete", name]).ok();
        }
        assert!(!outside.exists(), "{name}: a file was written outside");
        let evil = std::path::Path::new("/tmp/microcloud-lab-evil");
        assert!(!evil.exists(), "{name}: a file was written to /tmp");
    }
    assert_eq!(daemon.urls("images").len(), 1);
    let left = fs::read_dir(daemon.folder().join("images")).map(Iterator::count);
    assert_eq!(left.unwrap_or_default(), 1, "files of images that were refused");
    daemon.no_instance_left();
    daemon.busybox("x");
}

#[test]
fn an_image_that_was_announced_otherwise() {
    let Some(daemon) = Daemon::ready() else { return };
    let file = daemon.scratch().join("image");
    daemon.cli(["image", "export", "busybox", &file.to_string_lossy()]).ok();
    daemon.cli(["image", "delete", "busybox"]).ok();
    let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{e}"));
    let headers =
        [("Content-Type", "application/octet-stream"), ("X-LXD-fingerprint", "0123456789abcdef")];
    let reply = daemon.try_request("POST", "/1.0/images", &headers, &bytes);
    let reply = reply.unwrap_or_else(|e| panic!("{e}"));
    let operation = reply.body["operation"].as_str().unwrap_or_default().to_owned();
    if reply.status == 202 {
        let end = daemon.get(&format!("{operation}/wait?timeout=30"));
        assert!(end["err"].as_str().is_some_and(|error| error.contains("fingerprint")), "{end}");
    } else {
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    assert_eq!(daemon.urls("images").len(), 0);
}
