//! Projects keep apart what they hold.

use lab::{Client, Daemon};

#[test]
fn the_same_name_in_two_projects() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["project", "create", "red", "-c", "features.images=false"]).ok();
    daemon.busybox("x");
    daemon.lxc(["project", "switch", "red"]).ok();
    // Its default profile is its own and empty: there is no disk to live on.
    daemon.lxc(["launch", "busybox", "x"]).fails_with("root");
    daemon
        .lxc(["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"])
        .ok();
    let nic = ["profile", "device", "add", "default", "eth0", "nic", "name=eth0"];
    let added = daemon.run(Client::Lxc, &[&nic[..], &["network=mcbr0"]].concat());
    added.ok();
    daemon.lxc(["launch", "busybox", "x"]).ok();
    daemon.lxc(["exec", "x", "--", "touch", "/red"]).ok();
    daemon.sh("x", "test ! -e /red").ok();
    let red = daemon.get("/1.0/instances?project=red&recursion=1");
    assert_eq!((red[0]["project"].as_str(), red[1].as_str()), (Some("red"), None));
    let both = daemon.lxc(["list", "--all-projects", "--format", "csv", "-c", "en"]).text();
    assert_eq!(both, "default,x\nred,x");
    let both = daemon.cli(["list", "--all-projects", "--format", "csv", "-c", "en"]).text();
    assert_eq!(both, "default,x\nred,x");
    daemon.cli(["--project", "red", "stop", "x", "--force"]).ok();
    assert_eq!(daemon.status("x"), "Running");
    daemon.lxc(["project", "delete", "red"]).fails();
    daemon.lxc(["delete", "x"]).ok();
    daemon.lxc(["project", "switch", "default"]).ok();
    daemon.lxc(["profile", "show", "default", "--project", "red"]).ok();
    daemon.lxc(["project", "delete", "red"]).ok();
    assert_eq!(daemon.status("x"), "Running");
}

#[test]
fn projects_are_made_changed_and_listed() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["project", "create", "blue", "-c", "features.profiles=false"]).ok();
    let list = daemon.lxc(["project", "list"]).text();
    assert!(list.contains("| default (current) ") && list.contains("| blue "), "{list}");
    // Profiles are those of the default project, images are its own.
    daemon.cli(["--project", "blue", "launch", "busybox", "x"]).ok();
    assert_eq!(daemon.cli(["--project", "blue", "exec", "x", "--", "hostname"]).text(), "x");
    assert_eq!(daemon.get("/1.0/images?project=blue").as_array().map(Vec::len), Some(1));
    daemon.cli(["project", "set", "blue", "user.note=1"]).ok();
    assert_eq!(daemon.lxc(["project", "get", "blue", "user.note"]).text(), "1");
    daemon.lxc(["project", "set", "blue", "features.images", "false"]).fails();
    daemon.lxc(["project", "rename", "blue", "navy"]).fails();
    daemon.cli(["--project", "blue", "delete", "x", "--force"]).ok();
    let print = daemon.get("/1.0/images?project=blue")[0].clone();
    let print = print.as_str().and_then(|url| url.split(['/', '?']).nth(3)).unwrap_or_default();
    daemon.cli(["--project", "blue", "image", "delete", print]).ok();
    daemon.lxc(["project", "rename", "blue", "navy"]).ok();
    daemon.lxc(["project", "delete", "navy"]).ok();
    daemon.lxc(["project", "delete", "default"]).fails();
    daemon.lxc(["project", "switch", "none"]).fails_with("not found");
}

#[test]
fn a_project_that_is_not_there() {
    let Some(daemon) = Daemon::ready() else { return };
    for path in ["instances", "images", "profiles", "networks"] {
        let reply = daemon.request("GET", &format!("/1.0/{path}?project=none"), "");
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
    }
    daemon.cli(["--project", "none", "launch", "busybox", "x"]).fails_with("none");
}
