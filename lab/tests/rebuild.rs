//! New roots for instances that are there.

use lab::Daemon;
use serde_json::json;

#[test]
fn a_rebuilt_instance_keeps_its_options_and_loses_its_files() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("web");
    daemon.sh("web", "echo mine > /root/mine").ok();
    daemon.cli(["config", "set", "web", "user.note=kept"]).ok();
    let get = || daemon.get("/1.0/instances/web")["config"].clone();
    let before = get();
    daemon.cli(["rebuild", "local:busybox", "web"]).fails_with("running");
    daemon.cli(["snapshot", "web", "a"]).ok();
    daemon.cli(["stop", "web", "--force"]).ok();
    daemon.cli(["rebuild", "local:busybox", "web"]).fails_with("snapshots");
    daemon.cli(["delete", "web/a"]).ok();
    daemon.cli(["rebuild", "local:none", "web"]).fails_with("not found");
    daemon.cli(["rebuild", "local:busybox", "web"]).ok();
    let after = get();
    for key in ["user.note", "volatile.uuid", "volatile.eth0.hwaddr", "image.os"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    daemon.cli(["start", "web"]).ok();
    assert_eq!(daemon.sh("web", "ls /root").text(), "");
    daemon.cli(["stop", "web", "--force"]).ok();
    let body = json!({ "source": { "type": "none" } }).to_string();
    assert_eq!(daemon.request("POST", "/1.0/instances/web/rebuild", &body).status, 202);
    daemon.await_idle();
    assert!(get()["image.os"].is_null() && get()["user.note"] == "kept");
    let pool = daemon.folder().join("storage-pools/default/containers");
    let volumes: Vec<_> = std::fs::read_dir(&pool).into_iter().flatten().flatten().collect();
    assert_eq!(volumes.len(), 1, "{volumes:?}");
    let files = std::fs::read_dir(pool.join("web/rootfs")).into_iter().flatten();
    assert_eq!(files.count(), 0, "it is empty");
    daemon.cli(["rebuild", "--empty", "web"]).ok();
    daemon.cli(["rebuild", "busybox", "web"]).ok();
    daemon.cli(["start", "web"]).ok();
    let body = json!({ "source": { "type": "copy" } }).to_string();
    assert_eq!(daemon.request("POST", "/1.0/instances/web/rebuild", &body).status, 400);
}
