//! Images and backups on volumes of the daemon's own: `storage.images_volume` and `storage.backups_volume`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lab::{Client, Daemon, cluster::Cluster, until};
use serde_json::{Value, json};

const IMAGES: &str = "storage.images_volume";
const BACKUPS: &str = "storage.backups_volume";
const AWAY: &str = "Volume of images or backups unavailable";

/// The names in a folder; none where it is not there.
fn names(folder: &Path) -> Vec<String> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        read.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The folder of a depot on a volume, wherever its pool keeps it; none where it is not there.
fn on(daemon: &Daemon, pool: &str, volume: &str, depot: &str) -> Option<PathBuf> {
    let folder = daemon.folder().join(format!("storage-pools/{pool}/custom/default_{volume}"));
    ["data", "rootfs", "."]
        .map(|part| folder.join(part).join(depot))
        .into_iter()
        .find(|at| at.exists())
}

fn fingerprint(daemon: &Daemon) -> String {
    let print = daemon.get("/1.0/images/aliases/busybox")["target"].clone();
    print.as_str().unwrap_or_default().to_owned()
}

fn set(daemon: &Daemon, key: &str, value: &str) {
    let words = ["config", "set", key, value];
    daemon.lxc(words).ok();
    assert_eq!(daemon.lxc(["config", "get", key]).text(), value);
}

fn volume(daemon: &Daemon, pool: &str, name: &str) {
    daemon.lxc(["storage", "volume", "create", pool, name]).ok();
}

/// Makes a backup of an instance that waits.
fn back_up(daemon: &Daemon, instance: &str, name: &str) -> Value {
    let body = json!({ "name": name, "compression_algorithm": "none" }).to_string();
    let path = format!("/1.0/instances/{instance}/backups");
    let reply = daemon.request("POST", &path, &body);
    let operation = reply.body["operation"].as_str().unwrap_or_default().to_owned();
    if operation.is_empty() {
        return reply.body;
    }
    daemon.get(&format!("{operation}/wait"))
}

/// How the export of a backup is answered.
fn exported(daemon: &Daemon, instance: &str, name: &str) -> u16 {
    let path = format!("/1.0/instances/{instance}/backups/{name}/export");
    daemon.try_request("GET", &path, &[], b"").map_or(0, |reply| reply.status)
}

/// The image's files are read: no pool has it unpacked.
fn launches(daemon: &Daemon) {
    daemon.lxc(["storage", "create", "fresh", "dir"]).ok();
    daemon.lxc(["launch", "busybox", "fresh", "-s", "fresh"]).ok();
    assert_eq!(daemon.sh("fresh", "hostname").text(), "fresh");
    daemon.lxc(["delete", "fresh", "--force"]).ok();
    daemon.lxc(["storage", "delete", "fresh"]).ok();
}

fn there_and_back(daemon: &mut Daemon, pool: &str) {
    daemon.lxc(["init", "busybox", "web"]).ok();
    back_up(daemon, "web", "before");
    let print = fingerprint(daemon);
    let own = [daemon.folder().join("images"), daemon.folder().join("backups/instances")];
    assert_eq!(names(&own[0]), [print.as_str()]);
    assert_eq!(names(&own[1]), ["default_web"]);
    for name in ["pictures", "kept", "other"] {
        volume(daemon, pool, name);
    }

    set(daemon, IMAGES, &format!("{pool}/pictures"));
    set(daemon, BACKUPS, &format!("{pool}/kept"));
    let at = |daemon: &Daemon, name: &str, depot: &str| on(daemon, pool, name, depot);
    let pictures = at(daemon, "pictures", "images").expect("images are on the volume");
    let kept = at(daemon, "kept", "backups").expect("backups are on the volume");
    assert!(pictures.join(&print).is_file(), "{:?}", names(&pictures));
    assert!(kept.join("instances/default_web/before").is_file());
    assert!(own.iter().all(|folder| names(folder).is_empty()), "nothing is left here");
    launches(daemon);
    assert_eq!(exported(daemon, "web", "before"), 200);
    let used = daemon.get(&format!("/1.0/storage-pools/{pool}/volumes/custom/pictures"));
    assert_eq!(used["used_by"], json!(["/1.0"]));

    // What is made now is made there, and goes from there.
    back_up(daemon, "web", "after");
    daemon.lxc(["publish", "web", "--alias", "mine"]).ok();
    assert_eq!(names(&kept.join("instances/default_web")), ["after", "before"]);
    assert_eq!(names(&pictures).len(), 3, "two images and a mark");
    daemon.lxc(["image", "delete", "mine"]).ok();
    daemon.lxc(["rename", "web", "www"]).ok();
    assert_eq!(names(&kept.join("instances")), ["default_www"]);
    assert!(own.iter().all(|folder| names(folder).is_empty()), "nothing was written here");

    daemon.kill9();
    daemon.launch();
    assert_eq!(daemon.lxc(["config", "get", IMAGES]).text(), format!("{pool}/pictures"));
    launches(daemon);
    assert_eq!(exported(daemon, "www", "before"), 200);
    daemon.lxc(["launch", "busybox", "c"]).ok();
    for words in [
        &["storage", "volume", "delete", pool, "pictures"][..],
        &["storage", "volume", "rename", pool, "pictures", "photos"],
        &["storage", "volume", "attach", pool, "pictures", "c", "/mnt"],
        &["storage", "volume", "attach-profile", pool, "kept", "default", "/mnt"],
    ] {
        daemon.run(Client::Lxc, words).fails_with("in use by the daemon");
    }
    daemon.lxc(["storage", "create", "fresh", "dir"]).ok();
    let body = json!({ "name": "kept", "pool": "fresh" }).to_string();
    let path = format!("/1.0/storage-pools/{pool}/volumes/custom/kept");
    let refused = daemon.request("POST", &path, &body);
    assert!(refused.error().contains("in use by the daemon"), "{refused:?}");
    daemon.lxc(["storage", "delete", "fresh"]).ok();
    daemon.lxc(["storage", "volume", "snapshot", pool, "kept", "snap"]).ok();
    daemon
        .lxc(["storage", "volume", "restore", pool, "kept", "snap"])
        .fails_with("in use by the daemon");
    let file = daemon.scratch().join("kept.tar");
    let file = file.to_string_lossy();
    daemon.lxc(["storage", "volume", "export", pool, "kept", &file]).fails_with("writes backups");
    daemon.lxc(["storage", "delete", pool]).fails_with("in use");
    daemon.lxc(["storage", "volume", "delete", pool, "kept/snap"]).ok();
    daemon.lxc(["delete", "c", "--force"]).ok();

    // Both on one, and back.
    set(daemon, IMAGES, &format!("{pool}/other"));
    set(daemon, BACKUPS, &format!("{pool}/other"));
    assert_eq!(at(daemon, "pictures", "images"), None);
    assert_eq!(at(daemon, "kept", "backups"), None);
    launches(daemon);
    assert_eq!(exported(daemon, "www", "after"), 200);
    daemon.lxc(["storage", "volume", "delete", pool, "pictures"]).ok();
    daemon.lxc(["config", "unset", IMAGES]).ok();
    daemon.lxc(["config", "unset", BACKUPS]).ok();
    assert_eq!(names(&own[0]), [print.as_str()]);
    assert_eq!(names(&own[1].join("default_www")), ["after", "before"]);
    launches(daemon);
    assert_eq!(exported(daemon, "www", "after"), 200);
    daemon.lxc(["delete", "www"]).ok();
    assert!(names(&own[1]).is_empty());
    for name in ["kept", "other"] {
        daemon.lxc(["storage", "volume", "delete", pool, name]).ok();
    }
}

#[test]
fn images_and_backups_go_to_a_volume_and_come_back() {
    let Some(mut daemon) = Daemon::ready() else { return };
    there_and_back(&mut daemon, "default");
}

#[test]
fn images_and_backups_go_to_a_volume_on_btrfs_and_come_back() {
    if !lab::installed("mkfs.btrfs") {
        lab::skip("mkfs.btrfs is not installed");
        return;
    }
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "create", "fast", "btrfs", "size=512MiB"]).ok();
    there_and_back(&mut daemon, "fast");
    daemon.lxc(["storage", "delete", "fast"]).ok();
}

#[test]
fn a_volume_that_cannot_be_the_daemons_is_refused() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon
        .lxc(["storage", "volume", "create", "default", "disk", "--type=block", "size=16MiB"])
        .ok();
    for name in ["snapped", "used", "shared", "full"] {
        volume(&daemon, "default", name);
    }
    daemon.lxc(["storage", "volume", "snapshot", "default", "snapped", "s"]).ok();
    daemon.lxc(["init", "busybox", "web"]).ok();
    daemon.lxc(["storage", "volume", "attach", "default", "used", "web", "/mnt"]).ok();
    daemon
        .lxc(["storage", "volume", "attach-profile", "default", "shared", "default", "/srv"])
        .ok();
    let full = daemon.folder().join("storage-pools/default/custom/default_full");
    let full = ["data", "rootfs"].map(|part| full.join(part)).into_iter().find(|at| at.exists());
    let full = full.expect("a volume's files").join("images");
    fs::create_dir(&full).and_then(|()| fs::write(full.join("mine"), "")).expect("a file of mine");
    for key in [IMAGES, BACKUPS] {
        for (value, why) in [
            ("default", "such as default/images"),
            ("a/b/c", "such as default/images"),
            ("none/x", "there is no storage pool"),
            ("default/none", "there is no such custom volume"),
            ("default/disk", "content type block"),
            ("default/snapped", "it has snapshots"),
            ("default/used", "instance default/web"),
            ("default/shared", "profile default/default"),
        ] {
            let said = daemon.lxc(["config", "set", key, value]).fails_with(why);
            assert!(said.contains(key), "{said}");
            let reply =
                daemon.request("PATCH", "/1.0", &json!({ "config": { key: value } }).to_string());
            assert_eq!(reply.status, 400, "{reply:?}");
        }
    }
    let said = daemon.lxc(["config", "set", IMAGES, "default/full"]).fails_with("is not empty");
    assert!(said.contains(IMAGES), "{said}");
    assert_eq!(names(&full), ["mine"], "what is somebody's own is not touched");
    assert_eq!(daemon.lxc(["config", "get", IMAGES]).text(), "");
    assert_eq!(names(&daemon.folder().join("images")), [fingerprint(&daemon)]);
    launches(&daemon);
}

/// The images are whole where the daemon says, and nowhere else; then they are in its own folder.
fn one_place(daemon: &Daemon, print: &str, why: &str) {
    let value = daemon.lxc(["config", "get", IMAGES]).text();
    let own = names(&daemon.folder().join("images"));
    let there = on(daemon, "default", "pictures", "images").map(|at| names(&at));
    match value.as_str() {
        "" => {
            assert_eq!(own, [print], "{why}");
            assert_eq!(there, None, "{why}");
        }
        _ => {
            assert!(own.is_empty(), "{why}: {own:?}");
            assert!(there.is_some_and(|there| there.contains(&print.to_owned())), "{why}");
        }
    }
}

#[test]
fn a_move_is_whole_or_nothing_at_every_journal_write() {
    let Some(mut daemon) = Daemon::ready() else { return };
    volume(&daemon, "default", "pictures");
    let print = fingerprint(&daemon);
    let unset = |daemon: &Daemon| drop(daemon.lxc(["config", "unset", IMAGES]).ok());
    let words = ["config", "set", IMAGES, "default/pictures"];
    crate::crash::at_every_write(&mut daemon, unset, &words, |daemon, write| {
        one_place(daemon, &print, &format!("write {write}"));
        launches(daemon);
    });
    let put = |daemon: &Daemon| set(daemon, IMAGES, "default/pictures");
    let words = ["config", "unset", IMAGES];
    crate::crash::at_every_write(&mut daemon, put, &words, |daemon, write| {
        one_place(daemon, &print, &format!("back, write {write}"));
        launches(daemon);
    });
}

#[test]
fn a_daemon_that_is_killed_amid_a_copy_knows_where_its_images_are() {
    let Some(mut daemon) = Daemon::ready() else { return };
    volume(&daemon, "default", "pictures");
    daemon.lxc(["init", "busybox", "web"]).ok();
    let noise = daemon.scratch().join("noise");
    fs::write(&noise, lab::noise(200 << 20)).expect("a large file");
    daemon.lxc(["file", "push", &noise.to_string_lossy(), "web/root/noise"]).ok();
    daemon.lxc(["publish", "web", "--alias", "large", "--compression", "none"]).ok();
    let print = daemon.get("/1.0/images/aliases/large")["target"].clone();
    let print = print.as_str().unwrap_or_default().to_owned();
    let size = |folder: &Path| fs::metadata(folder.join(&print)).map_or(0, |meta| meta.len());
    let own = daemon.folder().join("images");
    let whole = size(&own);
    assert!(whole > 200 << 20, "{whole}");
    for pause in [0, 20, 60, 150, 300, 600, 1200] {
        let words = ["config", "set", IMAGES, "default/pictures"];
        let change = daemon.begin(Client::Cli, &words, Vec::new());
        std::thread::sleep(Duration::from_millis(pause));
        daemon.kill9();
        let half = on(&daemon, "default", "pictures", "images").map_or(0, |there| size(&there));
        drop(change.wait());
        if pause % 40 == 20 {
            daemon.cut_power();
        }
        daemon.launch();
        daemon.await_idle();
        let value = daemon.lxc(["config", "get", IMAGES]).text();
        let there = on(&daemon, "default", "pictures", "images");
        eprintln!("after {pause} ms: \"{value}\", {half} bytes copied");
        match value.as_str() {
            "" => {
                assert_eq!((size(&own), there), (whole, None), "after {pause} ms");
            }
            _ => {
                let there = there.expect("images on the volume");
                assert_eq!((size(&own), size(&there)), (0, whole), "after {pause} ms");
                daemon.lxc(["config", "unset", IMAGES]).ok();
            }
        }
        daemon.lxc(["image", "info", "large"]).ok();
    }
    launches(&daemon);
}

#[test]
fn work_goes_on_while_images_move() {
    let Some(daemon) = Daemon::ready() else { return };
    volume(&daemon, "default", "pictures");
    daemon.lxc(["init", "busybox", "web"]).ok();
    let words = |value: &str| ["config", "set", IMAGES, value].map(str::to_owned);
    for round in 0..4 {
        let value = if round % 2 == 0 { "default/pictures" } else { "" };
        let words = words(value);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let alias = format!("mine{round}");
        let publish = daemon.begin(Client::Lxc, &["publish", "web", "--alias", &alias], Vec::new());
        let change = daemon.begin(Client::Lxc, &words, Vec::new());
        let export = daemon.scratch().join(format!("image{round}"));
        let export = export.to_string_lossy();
        daemon.lxc(["image", "export", "busybox", &export]).ok();
        publish.wait().ok();
        change.wait().ok();
        assert_eq!(daemon.lxc(["config", "get", IMAGES]).text(), value);
        daemon.lxc(["image", "delete", &alias]).ok();
        let own = names(&daemon.folder().join("images"));
        let there = on(&daemon, "default", "pictures", "images").map(|at| names(&at));
        let [here, gone] = if value.is_empty() { [Some(own), there] } else { [there, Some(own)] };
        assert!(here.is_some_and(|here| here.contains(&fingerprint(&daemon))));
        assert!(gone.unwrap_or_default().is_empty());
    }
}

#[test]
fn a_daemon_starts_without_the_pool_of_its_images() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let place = daemon.scratch().join("disk");
    fs::create_dir(&place).unwrap_or_else(|e| panic!("cannot make {place:?}: {e}"));
    daemon.lxc(["storage", "create", "far", "dir", &format!("source={}", place.display())]).ok();
    volume(&daemon, "far", "all");
    daemon.lxc(["init", "busybox", "web"]).ok();
    daemon.lxc(["init", "busybox", "bare"]).ok();
    back_up(&daemon, "web", "before");
    set(&daemon, IMAGES, "far/all");
    set(&daemon, BACKUPS, "far/all");
    let print = fingerprint(&daemon);

    daemon.stop();
    let elsewhere = daemon.scratch().join("pulled");
    fs::rename(&place, &elsewhere).unwrap_or_else(|e| panic!("cannot pull: {e}"));
    daemon.launch();
    until("it is told", || {
        let all = daemon.get("/1.0/warnings?recursion=1");
        let all = all.as_array().cloned().unwrap_or_default();
        let told = all.into_iter().find(|one| one["type"] == AWAY)?;
        let said = told["last_message"].as_str().unwrap_or_default().to_owned();
        assert!(
            said.contains(IMAGES) && said.contains(BACKUPS) && said.contains("far/all"),
            "{said}"
        );
        (told["severity"] == "high").then_some(())
    });
    // What needs neither works on.
    daemon.lxc(["start", "web"]).ok();
    daemon.lxc(["stop", "web", "--force"]).ok();
    daemon.lxc(["rename", "bare", "nude"]).ok();
    daemon.lxc(["delete", "nude"]).ok();
    daemon.lxc(["publish", "web", "--alias", "mine"]).fails_with(IMAGES);
    // The image is unpacked in one pool, and in the other one not.
    daemon.lxc(["launch", "busybox", "x"]).ok();
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["storage", "create", "fresh", "dir"]).ok();
    daemon.lxc(["launch", "busybox", "x", "-s", "fresh"]).fails_with(IMAGES);
    daemon.lxc(["storage", "delete", "fresh"]).ok();
    let made = back_up(&daemon, "web", "after");
    assert!(made.to_string().contains(BACKUPS), "{made}");
    assert_eq!(exported(&daemon, "web", "before"), 503);
    daemon.lxc(["rename", "web", "www"]).fails_with(BACKUPS);
    daemon.lxc(["delete", "web"]).fails_with(BACKUPS);
    daemon.lxc(["config", "unset", IMAGES]).fails_with("far/all");
    assert!(!place.exists() || names(&place).is_empty(), "nobody wrote where the pool is to be");
    assert!(names(&daemon.folder().join("images")).is_empty());

    daemon.stop();
    if place.exists() {
        fs::remove_dir_all(&place).unwrap_or_else(|e| panic!("cannot plug in: {e}"));
    }
    fs::rename(&elsewhere, &place).unwrap_or_else(|e| panic!("cannot plug in: {e}"));
    daemon.launch();
    assert_eq!(exported(&daemon, "web", "before"), 200);
    launches(&daemon);
    daemon.lxc(["config", "unset", IMAGES]).ok();
    daemon.lxc(["config", "unset", BACKUPS]).ok();
    assert!(names(&daemon.folder().join("images")).contains(&print));
    daemon.lxc(["storage", "volume", "delete", "far", "all"]).ok();
    daemon.lxc(["delete", "web", "--force"]).ok();
}

#[test]
fn each_member_of_a_cluster_has_its_own() {
    let Some(cluster) = Cluster::of(2) else { return };
    let [first, second] = &cluster.members[..] else { panic!("two members") };
    first.lxc(["storage", "create", "default", "dir"]).ok();
    first
        .lxc(["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"])
        .ok();
    for (name, member) in [("one", "m1"), ("two", "m2")] {
        let target = format!("--target={member}");
        first.lxc(["storage", "volume", "create", "default", name, &target]).ok();
    }
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    first.lxc(["config", "set", IMAGES, "default/two"]).fails_with("it is on member \"m2\"");
    set(first, IMAGES, "default/one");
    assert_eq!(second.lxc(["config", "get", IMAGES]).text(), "");
    first.lxc(["config", "set", IMAGES, "default/two", "--target=m2"]).ok();
    assert_eq!(second.lxc(["config", "get", IMAGES]).text(), "default/two");
    assert_eq!(first.lxc(["config", "get", IMAGES]).text(), "default/one");
    let print = fingerprint(first);
    let there = on(first, "default", "one", "images").expect("images on the volume");
    assert!(there.join(&print).is_file());
    // The other one gets it from there.
    let there = on(second, "default", "two", "images").expect("images on the volume");
    until("a copy of the image", || there.join(&print).is_file().then_some(()));
    for (daemon, name) in [(first, "two"), (second, "one")] {
        daemon
            .lxc(["storage", "volume", "delete", "default", name])
            .fails_with("in use by the daemon");
    }
    for daemon in [first, second] {
        daemon.lxc(["config", "unset", IMAGES]).ok();
        let own = names(&daemon.folder().join("images"));
        assert_eq!(own, [print.as_str()]);
    }
}
