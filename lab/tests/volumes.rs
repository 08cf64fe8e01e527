//! Custom storage volumes, with both clients.

use lab::{Client, Daemon};
use serde_json::{Value, json};

const VOLUMES: &str = "/1.0/storage-pools/default/volumes";

fn names(daemon: &Daemon, path: &str) -> Vec<String> {
    let list = daemon.get(&format!("{path}?recursion=1"));
    let name = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
    list.as_array().into_iter().flatten().map(name).collect()
}

/// What a pool has on disk of custom volumes.
fn on_disk(daemon: &Daemon, pool: &str) -> Vec<String> {
    let folder = daemon.folder().join("storage-pools").join(pool).join("custom");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_volume_from_its_making_to_its_end() {
    let Some(daemon) = Daemon::ready() else { return };
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        volume(&["create", "default", "data", "user.note=first", "size=1GiB"]).ok();
        volume(&["create", "default", "data"]).fails_with("already exists");
        let shown = volume(&["show", "default", "data"]).text();
        for words in ["content_type: filesystem", "user.note: first", "type: custom"] {
            assert!(shown.contains(words), "{words} in {shown}");
        }
        let list = volume(&["list", "default"]).text();
        assert!(list.contains("custom") && list.contains("data"), "{list}");
        assert_eq!(on_disk(&daemon, "default"), ["default_data"]);

        volume(&["set", "default", "data", "user.note=second"]).ok();
        assert_eq!(volume(&["get", "default", "data", "user.note"]).text(), "second");
        volume(&["unset", "default", "data", "user.note"]).ok();
        assert_eq!(volume(&["get", "default", "data", "user.note"]).text(), "");
        let text = b"description: of the family\nconfig:\n  size: 2GiB\n".to_vec();
        daemon.run_with(client, &["storage", "volume", "edit", "default", "data"], text).ok();
        let now = daemon.get(&format!("{VOLUMES}/custom/data"));
        assert_eq!(now["description"], "of the family", "{now}");
        assert_eq!(now["config"]["size"], "2GiB", "{now}");
        assert!(now["config"]["volatile.uuid"].is_string(), "what the server notes stays: {now}");

        volume(&["rename", "default", "data", "photos_2026"]).ok();
        assert_eq!(names(&daemon, &format!("{VOLUMES}/custom")), ["photos_2026"]);
        assert_eq!(on_disk(&daemon, "default"), ["default_photos_2026"]);
        let info = volume(&["info", "default", "photos_2026"]).text();
        assert!(info.contains("Usage: "), "{info}");
        daemon.lxc(["storage", "delete", "default"]).fails_with("in use");
        volume(&["delete", "default", "photos_2026"]).ok();
        volume(&["delete", "default", "photos_2026"]).fails_with("not found");
        assert_eq!(on_disk(&daemon, "default"), Vec::<String>::new());
    }
}

#[test]
fn a_new_volumes_folder_has_the_owner_and_mode_that_were_asked_for() {
    use std::os::unix::fs::MetadataExt;
    let Some(daemon) = Daemon::ready() else { return };
    let create = ["storage", "volume", "create", "default", "data"];
    let options = ["initial.uid=33", "initial.gid=44", "initial.mode=1770"];
    daemon.run(Client::Lxc, &[&create[..], &options].concat()).ok();
    let folder = daemon.folder().join("storage-pools/default/custom/default_data/data");
    let seen = std::fs::metadata(folder).unwrap();
    assert_eq!((seen.uid(), seen.gid(), seen.mode() & 0o7777), (33, 44, 0o1770));
    let set = |option| daemon.lxc(["storage", "volume", "set", "default", "data", option]);
    set("initial.uid=0").fails_with("initial.uid");
}

#[test]
fn a_disk_is_a_sparse_file_that_grows_and_does_not_shrink() {
    let Some(daemon) = Daemon::ready() else { return };
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        volume(&["create", "default", "disk", "--type=block", "size=100MiB"]).ok();
        let file = daemon.folder().join("storage-pools/default/custom/default_disk/root.img");
        let length = || std::fs::metadata(&file).unwrap().len();
        assert_eq!(length(), 100 << 20);
        volume(&["set", "default", "disk", "size=200MiB"]).ok();
        assert_eq!(length(), 200 << 20);
        volume(&["set", "default", "disk", "size=50MiB"]).fails_with("cannot shrink");
        assert_eq!(volume(&["get", "default", "disk", "size"]).text(), "200MiB");
        let state = daemon.get(&format!("{VOLUMES}/custom/disk/state"));
        assert_eq!(state["usage"]["total"], 200 << 20, "{state}");
        assert!(state["usage"]["used"].as_u64().unwrap_or(u64::MAX) < 1 << 20, "{state}");
        volume(&["set", "default", "disk", "security.shifted=true"]).fails_with("security.shifted");
        volume(&["delete", "default", "disk"]).ok();
        volume(&["create", "default", "disk", "--type=block"]).ok();
        assert_eq!(volume(&["get", "default", "disk", "size"]).text(), "10GiB");
        volume(&["delete", "default", "disk"]).ok();
    }
}

#[test]
fn pools_give_defaults_and_projects_keep_volumes_apart() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "set", "default", "volume.size", "3GiB"]).ok();
    daemon.lxc(["project", "create", "own"]).ok();
    daemon.lxc(["project", "create", "guest", "-c", "features.storage.volumes=false"]).ok();
    let create = |project: &str, name: &str| {
        let words = ["storage", "volume", "create", "default", name, "--project", project];
        daemon.run(Client::Lxc, &words)
    };
    create("own", "data").ok();
    create("default", "data").ok();
    create("guest", "data").fails_with("already exists");
    create("guest", "more").ok();
    assert_eq!(on_disk(&daemon, "default"), ["default_data", "default_more", "own_data"]);
    let list = |query: &str| {
        let list = daemon.get(&format!("{VOLUMES}/custom?recursion=1&{query}"));
        let pair = |one: &Value| format!("{}/{}", one["project"], one["name"]).replace('"', "");
        list.as_array().into_iter().flatten().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(list("project=own"), ["own/data"]);
    assert_eq!(list("project=guest"), ["default/data", "default/more"]);
    assert_eq!(list("all-projects=true"), ["default/data", "default/more", "own/data"]);
    let all = daemon.get("/1.0/storage-volumes/custom?all-projects=true");
    assert_eq!(all.as_array().map(Vec::len), Some(3), "{all}");
    assert!(all.to_string().contains("/volumes/custom/data?project=own"), "{all}");
    let size = daemon.lxc(["storage", "volume", "get", "default", "data", "size"]).text();
    assert_eq!(size, "3GiB");
    daemon.lxc(["project", "delete", "own"]).fails_with("in use");
    let words = ["storage", "volume", "delete", "default", "data", "--project", "own"];
    daemon.run(Client::Lxc, &words).ok();
    daemon.lxc(["project", "delete", "own"]).ok();
}

#[test]
fn what_cannot_be_a_volume_is_refused_and_leaves_nothing() {
    let Some(daemon) = Daemon::ready() else { return };
    for client in Client::BOTH {
        let create = |words: &[&str]| {
            daemon.run(client, &[&["storage", "volume", "create"], words].concat())
        };
        create(&["default", "data", "size=ten"]).fails_with("size");
        create(&["default", "data", "sise=1GiB"]).fails_with("sise");
        create(&["default", "data", "initial.mode=999"]).fails_with("initial.mode");
        create(&["default", "data", "security.shared=true"]).fails_with("security.shared");
        create(&["default", "data", "snapshots.schedule=often"]).fails_with("snapshots.schedule");
        let both = ["default", "data", "security.shifted=true", "security.unmapped=true"];
        create(&both).fails_with("security.unmapped");
        create(&["nowhere", "data"]).fails_with("not found");
        create(&["default", "da ta"]).fails_with("volume name");
    }
    let post = |kind: &str, body: Value| {
        daemon.request("POST", &format!("{VOLUMES}/{kind}"), &body.to_string()).status
    };
    assert_eq!(post("custom", json!({ "name": "a/b" })), 400);
    assert_eq!(post("custom", json!({ "name": "a", "content_type": "tape" })), 400);
    assert_eq!(post("container", json!({ "name": "a" })), 501);
    assert_eq!(post("floppy", json!({ "name": "a" })), 400);
    assert_eq!(on_disk(&daemon, "default"), Vec::<String>::new());

    daemon.lxc(["storage", "volume", "create", "default", "data"]).ok();
    let path = format!("{VOLUMES}/custom/data");
    let patch = json!({ "config": { "user.a": "b" } }).to_string();
    assert_eq!(daemon.request("PATCH", &path, &patch).status, 200);
    assert_eq!(daemon.get(&path)["config"]["user.a"], "b");
    // A folder that nobody knows of is not overwritten, and not deleted either.
    let stray = daemon.folder().join("storage-pools/default/custom/default_stray");
    std::fs::rename(stray.with_file_name("default_data"), &stray).unwrap();
    daemon.lxc(["storage", "volume", "create", "default", "stray"]).fails_with("already exists");
    assert!(stray.join("data").is_dir());
    std::fs::rename(&stray, stray.with_file_name("default_data")).unwrap();
}

/// A daemon with a volume "data".
fn with_volume() -> Option<Daemon> {
    let daemon = Daemon::ready()?;
    daemon.lxc(["storage", "volume", "create", "default", "data"]).ok();
    Some(daemon)
}

#[test]
fn a_volume_comes_and_goes_while_an_instance_runs() {
    let Some(daemon) = with_volume() else { return };
    daemon.busybox("web");
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        volume(&["attach", "default", "data", "web", "/srv/data"]).ok();
        daemon.sh("web", "echo kept > /srv/data/file && chown 33:33 /srv/data/file").ok();
        assert_eq!(daemon.sh("web", "stat -c %u:%g /srv/data /srv/data/file").text(), "0:0\n33:33");
        let users = &daemon.get(&format!("{VOLUMES}/custom/data"))["used_by"];
        assert_eq!(*users, json!(["/1.0/instances/web"]));
        volume(&["delete", "default", "data"]).fails_with("instance default/web");
        volume(&["rename", "default", "data", "more"]).fails_with("instance default/web");
        volume(&["attach", "default", "data", "web", "/srv/data"]).fails_with("data");
        volume(&["detach", "default", "data", "web"]).ok();
        assert_eq!(daemon.sh("web", "ls /srv/data").text(), "");
        let users = &daemon.get(&format!("{VOLUMES}/custom/data"))["used_by"];
        assert_eq!(*users, json!([]));
    }
    // Owners on disk are those inside.
    use std::os::unix::fs::MetadataExt;
    let file = daemon.folder().join("storage-pools/default/custom/default_data/data/file");
    let seen = std::fs::metadata(file).unwrap();
    assert_eq!((seen.uid(), seen.gid()), (33, 33));
}

#[test]
fn instances_with_different_ids_share_a_volume() {
    let Some(daemon) = with_volume() else { return };
    let launch = |name: &str, option: &str| {
        daemon.run(Client::Lxc, &["init", "busybox", name, "-c", option]).ok();
        daemon.lxc(["storage", "volume", "attach", "default", "data", name, "/data"]).ok();
        daemon.lxc(["start", name]).ok();
    };
    launch("a", "user.x=y");
    launch("b", "security.idmap.isolated=true");
    launch("c", "security.privileged=true");
    daemon.sh("a", "echo from-a > /data/a && chmod 600 /data/a").ok();
    for name in ["b", "c"] {
        let line = format!("cat /data/a && stat -c %u /data/a && touch /data/{name}");
        assert_eq!(daemon.sh(name, &line).text(), "from-a\n0");
    }
    assert_eq!(daemon.sh("a", "stat -c %u /data/b /data/c").text(), "0\n0");
    // Read-only for one of them.
    daemon.lxc(["stop", "b", "--force"]).ok();
    daemon.lxc(["config", "device", "set", "b", "data", "readonly=true"]).ok();
    daemon.lxc(["start", "b"]).ok();
    daemon.sh("b", "touch /data/more").fails_with("read-only");
    daemon.sh("b", "mount -o remount,rw /data; touch /data/more").fails_with("read-only");
    // The ids of the host, on demand.
    let set = ["storage", "volume", "set", "default", "data", "security.unmapped=true"];
    daemon.run(Client::Lxc, &set).fails_with("stop it first");
    for name in ["a", "b", "c"] {
        daemon.lxc(["stop", name, "--force"]).ok();
    }
    daemon.run(Client::Lxc, &set).ok();
    daemon.lxc(["start", "a"]).ok();
    assert_eq!(daemon.sh("a", "stat -c %u /data/a").text(), "65534");
    daemon.sh("a", "cat /data/a").fails_with("denied");
}

#[test]
fn a_profile_brings_a_volume_and_a_rename_is_followed() {
    let Some(mut daemon) = with_volume() else { return };
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        daemon.busybox("web");
        volume(&["attach-profile", "default", "data", "default", "disk", "/data"]).ok();
        daemon.sh("web", "touch /data/by-profile").ok();
        let users = daemon.get(&format!("{VOLUMES}/custom/data"))["used_by"].clone();
        assert_eq!(users, json!(["/1.0/instances/web", "/1.0/profiles/default"]));
        volume(&["delete", "default", "data"]).fails_with("profile default/default");
        daemon.lxc(["stop", "web", "--force"]).ok();
        volume(&["rename", "default", "data", "more"]).ok();
        let source = ["profile", "device", "get", "default", "disk", "source"];
        assert_eq!(daemon.run(client, &source).text(), "more");
        daemon.lxc(["start", "web"]).ok();
        assert_eq!(daemon.sh("web", "ls /data").text(), "by-profile");
        // It was started with it: the profile gives it up, and it keeps it until it stops.
        volume(&["detach-profile", "default", "more", "default"]).ok();
        volume(&["delete", "default", "more"]).fails_with("stop it first");
        daemon.lxc(["delete", "web", "--force"]).ok();
        volume(&["rename", "default", "more", "data"]).ok();
    }
    // Nothing of it needs the daemon that began it.
    daemon.busybox("web");
    daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/data"]).ok();
    daemon.restart();
    daemon.sh("web", "touch /data/after").ok();
    daemon.lxc(["storage", "volume", "delete", "default", "data"]).fails_with("default/web");
    daemon.lxc(["storage", "volume", "detach", "default", "data", "web"]).ok();
    assert_eq!(daemon.sh("web", "ls /data").text(), "");
    daemon.lxc(["storage", "volume", "delete", "default", "data"]).ok();
}

#[test]
fn what_cannot_be_attached_is_refused_in_one_line() {
    let Some(daemon) = with_volume() else { return };
    daemon
        .run(
            Client::Lxc,
            &["storage", "volume", "create", "default", "disk", "--type=block", "size=1MiB"],
        )
        .ok();
    daemon.busybox("web");
    for client in Client::BOTH {
        let attach = |words: &[&str]| {
            let run = daemon.run(client, &[&["storage", "volume", "attach"], words].concat());
            let error = run.fails();
            assert_eq!(error.trim().lines().count(), 1, "{error}");
            error
        };
        assert!(attach(&["default", "disk", "web"]).contains("content type block"));
        assert!(attach(&["default", "none", "web", "/x"]).contains("not found"));
        assert!(attach(&["nowhere", "data", "web", "/x"]).contains("not found"));
        let add = |source: &str, path: &str| {
            let device = ["config", "device", "add", "web", "d", "disk", "pool=default"];
            daemon.run(client, &[&device[..], &[source, path]].concat())
        };
        add("source=data/../../../etc", "path=/x").fails_with("source");
        add("source=data/inner", "path=/x").fails_with("No such file");
        add("source=data", "path=/bin/busybox").fails();
        add("source=data", "readonly=true").fails_with("path");
        add("source=none", "path=/x").fails_with("not found");
        assert!(!daemon.lxc(["config", "show", "web"]).text().contains("source"), "no device");
    }
    // One that may be missing is left out.
    let device = ["config", "device", "add", "web", "d", "disk", "pool=default"];
    let more = ["source=none", "path=/x", "required=false"];
    daemon.run(Client::Lxc, &[&device[..], &more].concat()).ok();
    daemon.lxc(["restart", "web", "--force"]).ok();
}

#[test]
fn a_snapshot_brings_files_back_and_leaves_the_options() {
    let Some(daemon) = with_volume() else { return };
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        daemon.busybox("web");
        volume(&["attach", "default", "data", "web", "/data"]).ok();
        daemon.sh("web", "echo then > /data/note; mkdir -p /data/d; touch /data/d/x").ok();
        volume(&["snapshot", "default", "data", "before"]).ok();
        daemon.await_status("web", "Running");
        daemon.sh("web", "echo now > /data/note; rm -r /data/d; touch /data/new").ok();
        volume(&["set", "default", "data", "user.note=now"]).ok();
        volume(&["restore", "default", "data", "before"]).fails_with("stop it first");
        daemon.lxc(["stop", "web", "--force"]).ok();
        volume(&["restore", "default", "data", "before"]).ok();
        daemon.lxc(["start", "web"]).ok();
        let seen = daemon.sh("web", "cat /data/note; ls /data /data/d").text();
        assert_eq!(seen, "then\n/data:\nd\nnote\n\n/data/d:\nx");
        assert_eq!(volume(&["get", "default", "data", "user.note"]).text(), "now");

        volume(&["rename", "default", "data/before", "data/after"]).ok();
        volume(&["snapshot", "default", "data"]).ok();
        volume(&["snapshot", "default", "data"]).ok();
        let kept = || names(&daemon, &format!("{VOLUMES}/custom/data/snapshots"));
        assert_eq!(kept(), ["after", "snap0", "snap1"]);
        let list = volume(&["list", "default"]).text();
        assert!(list.contains("custom (snapshot)") && list.contains("data/snap0"), "{list}");
        let info = volume(&["info", "default", "data"]).text();
        assert!(info.contains("Snapshots:") && info.contains("after"), "{info}");
        let shown = volume(&["show", "default", "data/after"]).text();
        assert!(shown.contains("content_type: filesystem"), "{shown}");
        volume(&["delete", "default", "data/snap0"]).ok();
        assert_eq!(kept(), ["after", "snap1"]);
        volume(&["snapshot", "default", "data", "after"]).fails_with("already exists");
        volume(&["snapshot", "default", "data", "after", "--reuse"]).ok();
        volume(&["snapshot", "default", "data", "a b"]).fails_with("snapshot name");
        volume(&["restore", "default", "data", "none"]).fails_with("not found");
        volume(&["delete", "default", "data/none"]).fails_with("not found");
        volume(&["rename", "default", "data/none", "data/b"]).fails_with("not found");

        daemon.lxc(["stop", "web", "--force"]).ok();
        daemon.lxc(["delete", "web"]).ok();
        volume(&["rename", "default", "data", "more"]).ok();
        volume(&["restore", "default", "more", "after"]).ok();
        volume(&["delete", "default", "more"]).ok();
        volume(&["create", "default", "data"]).ok();
        assert_eq!(kept(), Vec::<String>::new());
    }
}

#[test]
fn snapshots_of_volumes_end_as_the_options_say() {
    let Some(daemon) = with_volume() else { return };
    let volume =
        |words: &[&str]| daemon.run(Client::Lxc, &[&["storage", "volume"], words].concat());
    volume(&["set", "default", "data", "snapshots.expiry=2d", "snapshots.pattern=auto%d"]).ok();
    volume(&["snapshot", "default", "data"]).ok();
    volume(&["snapshot", "default", "data", "kept", "--no-expiry"]).ok();
    let path = format!("{VOLUMES}/custom/data/snapshots");
    let list = daemon.get(&format!("{path}?recursion=1"));
    assert_eq!(list[0]["name"], "auto0", "{list}");
    assert!(list[0]["expires_at"].as_str().is_some_and(|end| end.starts_with("20")), "{list}");
    assert_eq!(list[1]["expires_at"], "0001-01-01T00:00:00Z", "{list}");
    let text = b"description: of May\nexpires_at: 2099-01-02T03:04:05Z\n".to_vec();
    let edit = ["storage", "volume", "edit", "default", "data/kept"];
    daemon.run_with(Client::Lxc, &edit, text).ok();
    let kept = daemon.get(&format!("{path}/kept"));
    assert_eq!(kept["description"], "of May", "{kept}");
    assert_eq!(kept["expires_at"], "2099-01-02T03:04:05Z", "{kept}");
    let patch = json!({ "expires_at": "2001-01-01T00:00:00Z" }).to_string();
    assert_eq!(daemon.request("PATCH", &format!("{path}/kept"), &patch).status, 400);
}

#[test]
fn a_volume_on_btrfs_has_its_size_its_snapshots_and_its_users() {
    if !lab::installed("mkfs.btrfs") {
        return lab::skip("mkfs.btrfs is not installed");
    }
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "create", "fast", "btrfs", "size=512MiB"]).ok();
    let volume =
        |words: &[&str]| daemon.run(Client::Lxc, &[&["storage", "volume"], words].concat());
    volume(&["create", "fast", "data", "size=20MiB"]).ok();
    daemon.busybox("web");
    volume(&["attach", "fast", "data", "web", "/data"]).ok();
    daemon.sh("web", "dd if=/dev/zero of=/data/big bs=1M count=40").fails_with("quota exceeded");
    daemon.sh("web", "rm /data/big; echo then > /data/note; sync").ok();
    // It grows while it is in use, and does not shrink below what is in it.
    volume(&["set", "fast", "data", "size=100MiB"]).ok();
    daemon.sh("web", "dd if=/dev/zero of=/data/big bs=1M count=40 && sync").ok();
    volume(&["set", "fast", "data", "size=20MiB"]).fails_with("in use");
    volume(&["snapshot", "fast", "data", "a"]).ok();
    daemon.sh("web", "echo now > /data/note; rm /data/big; sync").ok();
    volume(&["set", "fast", "data", "size=60MiB"]).ok();
    daemon.lxc(["stop", "web", "--force"]).ok();
    volume(&["restore", "fast", "data", "a"]).ok();
    daemon.lxc(["start", "web"]).ok();
    assert_eq!(daemon.sh("web", "cat /data/note; ls /data").text(), "then\nbig\nnote");
    daemon.sh("web", "dd if=/dev/zero of=/data/more bs=1M count=40").fails_with("quota exceeded");
}

#[test]
fn copies_and_moves_take_snapshots_along() {
    let Some(daemon) = with_volume() else { return };
    let mut pools = vec!["other"];
    daemon.lxc(["storage", "create", "other", "dir"]).ok();
    if lab::installed("mkfs.btrfs") {
        daemon.lxc(["storage", "create", "fast", "btrfs", "size=512MiB"]).ok();
        pools.push("fast");
    }
    daemon.busybox("web");
    daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/data"]).ok();
    daemon.sh("web", "echo then > /data/note; chown 33:44 /data /data/note").ok();
    daemon.lxc(["storage", "volume", "snapshot", "default", "data", "a"]).ok();
    daemon.sh("web", "echo now > /data/note").ok();
    let see = |pool: &str, volume: &str| {
        daemon.lxc(["storage", "volume", "attach", pool, volume, "web", "/see"]).ok();
        let seen = daemon.sh("web", "cat /see/note; stat -c %u:%g /see /see/note").text();
        daemon.lxc(["storage", "volume", "detach", pool, volume, "web"]).ok();
        seen
    };
    let now = "now\n33:44\n33:44";
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        let kept = |pool: &str, volume: &str| {
            names(&daemon, &format!("/1.0/storage-pools/{pool}/volumes/custom/{volume}/snapshots"))
        };
        for pool in pools.iter().chain(&["default"]) {
            let copy = format!("{pool}/copy");
            volume(&["copy", "default/data", &copy]).ok();
            assert_eq!(see(pool, "copy"), now, "{pool}");
            assert_eq!(kept(pool, "copy"), ["a"]);
            volume(&["restore", pool, "copy", "a"]).ok();
            assert_eq!(see(pool, "copy"), now.replace("now", "then"), "{pool}");
            volume(&["copy", "default/data/a", &format!("{pool}/old")]).ok();
            assert_eq!(see(pool, "old"), now.replace("now", "then"), "{pool}");
            assert_eq!(kept(pool, "old"), Vec::<String>::new());
            volume(&["copy", "default/data", &format!("{pool}/bare"), "--volume-only"]).ok();
            assert_eq!(kept(pool, "bare"), Vec::<String>::new());
            volume(&["copy", "default/data", &copy]).fails_with("already exists");
            // Of its own: the next one does not change with it.
            for name in ["copy", "old", "bare"] {
                volume(&["delete", pool, name]).ok();
            }
        }
        let ids = |pool: &str, name: &str| {
            let path = format!("/1.0/storage-pools/{pool}/volumes/custom/{name}");
            daemon.get(&path)["config"]["volatile.uuid"].as_str().unwrap_or_default().to_owned()
        };
        volume(&["copy", "default/data", "default/copy"]).ok();
        assert_ne!(ids("default", "data"), ids("default", "copy"));
        let id = ids("default", "copy");
        daemon.lxc(["init", "busybox", "user"]).ok();
        if client == Client::Cli {
            volume(&["attach", "default", "copy", "user", "/data"]).ok();
        }
        for pool in &pools {
            volume(&["move", "default/copy", &format!("{pool}/moved")]).ok();
            // The stock client copies it and deletes the old one, which works while nobody names it.
            if client == Client::Lxc {
                assert_eq!(kept(pool, "moved"), ["a"]);
                assert_eq!(on_disk(&daemon, "default"), ["default_data"]);
                volume(&["move", &format!("{pool}/moved"), "default/copy"]).ok();
                continue;
            }
            assert_eq!(ids(pool, "moved"), id, "it is the same one");
            assert_eq!(kept(pool, "moved"), ["a"]);
            assert_eq!(on_disk(&daemon, "default"), ["default_data"]);
            // Who names it follows.
            daemon.lxc(["start", "user"]).ok();
            assert_eq!(daemon.sh("user", "cat /data/note").text(), "now");
            volume(&["move", &format!("{pool}/moved"), "default/copy"]).fails_with("stop it first");
            daemon.lxc(["stop", "user", "--force"]).ok();
            volume(&["move", &format!("{pool}/moved"), "default/copy"]).ok();
        }
        daemon.lxc(["project", "create", "own"]).ok();
        let away = ["move", "default/copy", "default/copy", "--target-project", "own"];
        if client == Client::Cli {
            volume(&away).fails_with("instance default/user");
        }
        daemon.lxc(["delete", "user"]).ok();
        volume(&away).ok();
        assert_eq!(on_disk(&daemon, "default"), ["default_data", "own_copy"]);
        let delete = ["storage", "volume", "delete", "default", "copy", "--project", "own"];
        daemon.run(client, &delete).ok();
        volume(&["copy", "default/data", "other/x", "--target-project", "own"]).ok();
        let delete = ["storage", "volume", "delete", "other", "x", "--project", "own"];
        daemon.run(client, &delete).ok();
        daemon.lxc(["project", "delete", "own"]).ok();
    }
}

#[test]
fn a_refresh_brings_a_copy_up_to_date() {
    let Some(daemon) = with_volume() else { return };
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    daemon.busybox("web");
    daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/srv"]).ok();
    let pools = daemon.folder().join("storage-pools");
    let file = |name: &str| pools.join("second/custom/default_copy/data").join(name);
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        daemon.sh("web", "cd /srv && rm -rf * && echo same > same && echo then > note").ok();
        volume(&["snapshot", "default", "data", "one"]).ok();
        // The first makes it.
        let copy = ["copy", "default/data", "second/copy", "--refresh"];
        volume(&copy).ok();
        assert_eq!(std::fs::read_to_string(file("note")).unwrap(), "then\n");
        daemon.lxc(["storage", "volume", "set", "second", "copy", "user.note=its own"]).ok();
        use std::os::unix::fs::MetadataExt;
        let same = std::fs::metadata(file("same")).unwrap().ino();

        daemon.sh("web", "cd /srv && echo now > note && echo new > new").ok();
        volume(&["snapshot", "default", "data", "two"]).ok();
        volume(&["delete", "default", "data/one"]).ok();
        let init = daemon.init_of("web");
        volume(&copy).ok();
        assert_eq!(daemon.init_of("web"), init);
        let text = |name: &str| std::fs::read_to_string(file(name)).unwrap();
        assert_eq!((text("note"), text("new")), (String::from("now\n"), String::from("new\n")));
        assert_eq!(std::fs::metadata(file("same")).unwrap().ino(), same, "it was not written");
        let kept = names(&daemon, "/1.0/storage-pools/second/volumes/custom/copy/snapshots");
        assert_eq!(kept, ["two"]);
        let note = volume(&["get", "second", "copy", "user.note"]).text();
        assert_eq!(note, "its own");
        daemon.lxc(["storage", "volume", "attach", "second", "copy", "web", "/copy"]).ok();
        volume(&copy).fails_with("stop it first");
        daemon.lxc(["storage", "volume", "detach", "second", "copy", "web"]).ok();
        volume(&["delete", "second", "copy"]).ok();
        volume(&["delete", "default", "data/two"]).ok();
    }
    let volume =
        |words: &[&str]| daemon.run(Client::Cli, &[&["storage", "volume"], words].concat());
    let shown = ["copy", "default/data", "second/shown", "--refresh"];
    volume(&["snapshot", "default", "data", "three"]).ok();
    volume(&shown).ok();
    daemon.cli(["create", "local:busybox", "shows"]).ok();
    let three = ["pool=second", "source=shown", "source.snapshot=three", "path=/then"];
    let add = ["config", "device", "add", "shows", "then", "disk"];
    daemon.run(Client::Lxc, &[&add[..], &three].concat()).ok();
    volume(&["delete", "default", "data/three"]).ok();
    volume(&shown).fails_with("in use by instance default/shows");
    daemon.lxc(["config", "device", "remove", "shows", "then"]).ok();
    volume(&shown).ok();
    let kept = names(&daemon, "/1.0/storage-pools/second/volumes/custom/shown/snapshots");
    assert!(kept.is_empty(), "{kept:?}");

    let create = ["storage", "volume", "create"];
    let make = |words: &[&str]| daemon.run(Client::Lxc, &[&create[..], words].concat()).ok();
    make(&["default", "disk", "--type=block", "size=8MiB"]);
    make(&["second", "disk", "--type=block", "size=4MiB"]);
    let disk = |pool: &str| pools.join(pool).join("custom/default_disk/root.img");
    let bytes = lab::noise(8 << 20);
    std::fs::write(disk("default"), &bytes).unwrap();
    daemon.cli(["storage", "volume", "copy", "default/disk", "second/disk", "--refresh"]).ok();
    assert!(std::fs::read(disk("second")).unwrap() == bytes, "it grew too");
    let copy = ["storage", "volume", "copy", "default/data", "second/disk", "--refresh"];
    daemon.cli(copy).fails_with("content type");
    let copy = ["storage", "volume", "copy", "default/data", "default/data", "--refresh"];
    daemon.cli(copy).fails_with("no copy of itself");
}

#[test]
fn a_snapshot_of_a_volume_is_edited() {
    let Some(daemon) = with_volume() else { return };
    daemon.lxc(["storage", "volume", "snapshot", "default", "data", "one"]).ok();
    let edit = ["storage", "volume", "edit", "default", "data/one"];
    let text = b"description: before\nexpires_at: 2099-01-02T03:04:05Z\n".to_vec();
    daemon.run_with(Client::Cli, &edit, text).ok();
    let shown = daemon.cli(["storage", "volume", "show", "default", "data/one"]).text();
    for words in ["description: before", "2099-01-02T03:04:05Z"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let text = b"expires_at: 2001-01-02T03:04:05Z\n".to_vec();
    daemon.run_with(Client::Cli, &edit, text).fails_with("in the past");
}
