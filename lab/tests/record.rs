//! Programs whose output is recorded: what the API gives of it, until it is deleted.

use lab::Daemon;
use serde_json::{Value, json};

/// Runs a line of shell with its output recorded; what the ended operation knows.
fn record(daemon: &Daemon, line: &str) -> Value {
    let post = json!({ "command": ["sh", "-c", line], "record-output": true });
    let reply = daemon.request("POST", "/1.0/instances/x/exec", &post.to_string());
    assert_eq!(reply.status, 202, "{reply:?}");
    let operation = reply.body["operation"].as_str().unwrap_or_default().to_owned();
    daemon.get(&format!("{operation}/wait?timeout=30"))["metadata"].clone()
}

/// The bytes behind an address.
fn bytes(daemon: &Daemon, url: &Value) -> String {
    let path = url.as_str().unwrap_or_else(|| panic!("no address: {url}"));
    daemon.cli(["query", "--raw", path]).text()
}

fn outputs(daemon: &Daemon) -> Vec<Value> {
    let list = daemon.get("/1.0/instances/x/logs/exec-output");
    list.as_array().cloned().unwrap_or_default()
}

#[test]
fn output_is_recorded_until_it_is_deleted() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    assert_eq!(outputs(&daemon), Vec::<Value>::new());
    let known = record(&daemon, "echo out; echo err >&2; cat; exit 3");
    assert_eq!(known["return"], 3, "{known}");
    assert_eq!(bytes(&daemon, &known["output"]["1"]), "out");
    assert_eq!(bytes(&daemon, &known["output"]["2"]), "err");
    let mut both = vec![known["output"]["1"].clone(), known["output"]["2"].clone()];
    both.sort_by_key(Value::to_string);
    assert_eq!(outputs(&daemon), both);
    // What a child in the background holds open is not waited for.
    let late = record(&daemon, "echo now; (sleep 100; echo never) &");
    assert_eq!(
        (bytes(&daemon, &late["output"]["1"]).as_str(), &late["return"]),
        ("now", &json!(0))
    );
    // The logs of the instance are something else.
    let logs = daemon.get("/1.0/instances/x/logs").to_string();
    assert!(!logs.contains("exec-output") && logs.contains("monitor.log"), "{logs}");

    daemon.restart();
    let first = both[0].as_str().unwrap_or_default();
    assert_eq!(daemon.request("DELETE", first, "").status, 200);
    for method in ["GET", "DELETE"] {
        assert_eq!(daemon.request(method, first, "").status, 404);
    }
    assert_eq!(outputs(&daemon).len(), 3);
    for evil in ["..", ".", "%2e%2e%2fmonitor.log", "..%2f..%2flocal.db"] {
        let path = format!("/1.0/instances/x/logs/exec-output/{evil}");
        assert_eq!(daemon.request("GET", &path, "").status, 404, "{path}");
    }
    daemon.cli(["delete", "x", "--force"]).ok();
    daemon.no_instance_left();
    assert_eq!(daemon.request("GET", "/1.0/instances/x/logs/exec-output", "").status, 404);
}

#[test]
fn what_cannot_be_recorded_or_deleted_is_refused() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for also in ["interactive", "wait-for-websocket"] {
        let post = json!({ "command": ["true"], "record-output": true, also: true });
        let reply = daemon.request("POST", "/1.0/instances/x/exec", &post.to_string());
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.error().contains("record-output"), "{reply:?}");
    }
    let missing = json!({ "command": ["no-such-program"], "record-output": true });
    let reply = daemon.request("POST", "/1.0/instances/x/exec", &missing.to_string());
    let operation = reply.body["operation"].as_str().unwrap_or_default().to_owned();
    let ended = daemon.get(&format!("{operation}/wait?timeout=30"));
    assert_eq!(ended["metadata"]["return"], 127, "{ended}");
    assert_eq!(outputs(&daemon), Vec::<Value>::new(), "no files of what did not start");
    for file in ["monitor.log", "console.log"] {
        let reply = daemon.request("DELETE", &format!("/1.0/instances/x/logs/{file}"), "");
        assert_eq!(reply.status, 403, "{reply:?}");
    }
    let reply = daemon.request("DELETE", "/1.0/instances/x/logs/nothing.log", "");
    assert_eq!(reply.status, 404, "{reply:?}");
}
