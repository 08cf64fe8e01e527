//! What the server could not do as asked: told until it is over.

use lab::{Client, Daemon, until};
use serde_json::Value;

fn all(daemon: &Daemon) -> Vec<Value> {
    daemon.get("/1.0/warnings?recursion=1").as_array().cloned().unwrap_or_default()
}

fn of_kind(daemon: &Daemon, kind: &str) -> Option<Value> {
    all(daemon).into_iter().find(|one| one["type"] == kind)
}

fn has_status(daemon: &Daemon, kind: &str, status: &str) -> Value {
    until(&format!("\"{kind}\" is {status}"), || {
        of_kind(daemon, kind).filter(|one| one["status"] == status)
    })
}

const POOL: &str = "Storage pool unavailable";
const AUTOSTART: &str = "Failed to autostart instance";

#[test]
fn a_pool_that_is_gone_is_told_of_until_it_is_back() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let place = daemon.scratch().join("disk");
    std::fs::create_dir(&place).unwrap_or_else(|e| panic!("cannot make {place:?}: {e}"));
    let source = format!("source={}", place.display());
    daemon.lxc(["storage", "create", "far", "dir", &source]).ok();
    daemon.lxc(["launch", "busybox", "c", "-s", "far"]).ok();
    daemon.lxc(["config", "set", "c", "boot.autostart=true"]).ok();
    daemon.lxc(["stop", "c", "--force"]).ok();
    assert_eq!(of_kind(&daemon, POOL), None);

    // The disk is pulled, and the machine boots.
    daemon.stop();
    let elsewhere = daemon.scratch().join("pulled");
    std::fs::rename(&place, &elsewhere).unwrap_or_else(|e| panic!("cannot pull: {e}"));
    let booted = std::fs::remove_file(daemon.folder().join("boot_id"));
    booted.unwrap_or_else(|e| panic!("cannot forget the boot: {e}"));
    daemon.launch();
    let pool = has_status(&daemon, POOL, "new");
    assert_eq!(pool["entity_url"], "/1.0/storage-pools/far");
    assert_eq!((&pool["severity"], &pool["count"]), (&Value::from("high"), &Value::from(1)));
    let failed = has_status(&daemon, AUTOSTART, "new");
    assert_eq!(
        (&failed["entity_url"], &failed["project"]),
        (&"/1.0/instances/c".into(), &"default".into())
    );

    let uuid = pool["uuid"].as_str().unwrap_or_default();
    for client in [Client::Lxc, Client::Cli] {
        let run = |words: &[&str]| daemon.run(client, words);
        let listed = run(&["warning", "list"]).text();
        assert!(listed.contains(POOL) && listed.contains("HIGH"), "{client:?}: {listed}");
        let shown = run(&["warning", "show", uuid]).text();
        assert!(
            shown.contains("status: new") && shown.contains("/1.0/storage-pools/far"),
            "{shown}"
        );
        run(&["warning", "acknowledge", uuid]).ok();
        assert!(!run(&["warning", "list"]).text().contains(POOL));
        assert!(run(&["warning", "list", "--all"]).text().contains("ACKNOWLEDGED"));
        daemon.request("PATCH", &format!("/1.0/warnings/{uuid}"), r#"{"status": "new"}"#).ok();
        run(&["warning", "show", "nothing-of-the-kind"]).fails_with("not found");
    }
    let bad = daemon.request("PUT", &format!("/1.0/warnings/{uuid}"), r#"{"status": "resolved"}"#);
    assert_eq!(bad.status, 400, "{}", bad.body);
    assert!(daemon.lxc(["query", "/1.0/metrics"]).text().contains("lxd_warnings_total "));

    // It is back: the instance starts, and both are over.
    std::fs::rename(&elsewhere, &place).unwrap_or_else(|e| panic!("cannot plug: {e}"));
    daemon.lxc(["storage", "info", "far"]).ok();
    daemon.lxc(["start", "c"]).ok();
    has_status(&daemon, POOL, "resolved");
    has_status(&daemon, AUTOSTART, "resolved");
    daemon.lxc(["warning", "delete", uuid]).ok();
    assert_eq!(of_kind(&daemon, POOL), None);
    daemon.cli(["warning", "delete", "--all"]).ok();
    assert_eq!(all(&daemon), Vec::<Value>::new());
    // What a daemon that comes later finds is no new trouble, but what is wrong with the machine.
    daemon.lxc(["delete", "c", "--force"]).ok();
}
