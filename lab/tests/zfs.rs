//! Storage pools on ZFS, with the stock client. Where the kernel has none: `cargo xtask test --rig zfs zfs`.

use std::path::{Path, PathBuf};

use lab::{Client, Daemon, host, until};

/// The pool of ZFS: its name is the machine's, not the daemon's.
const TANK: &str = "mclab-tank";

/// A daemon with a pool `fast` on a pool of ZFS of its own; `None`, and a word why, where that cannot be.
fn daemon() -> Option<Daemon> {
    let version = std::fs::read_to_string("/sys/module/zfs/version").unwrap_or_default();
    if !lab::installed("zpool") || version.is_empty() || version.starts_with("2.1") {
        lab::skip("the kernel has no ZFS of 2.2 or later");
        return None;
    }
    let daemon = Daemon::without_network()?;
    let name = format!("zfs.pool_name={TANK}");
    daemon.lxc(["storage", "create", "fast", "zfs", "size=1GiB", &name]).ok();
    Some(daemon)
}

fn pool(daemon: &Daemon, name: &str) -> PathBuf {
    daemon.folder().join("storage-pools").join(name)
}

fn nothing_left(daemon: &Daemon) {
    until("the pool goes", || {
        let there = pool(daemon, "fast.img").exists() || pool(daemon, "fast").exists();
        (!there).then_some(())
    });
    let pools = host(&["zpool", "list", "-H", "-o", "name"]).text();
    assert!(!pools.contains(TANK), "{pools}");
}

#[test]
fn instances_live_on_datasets() {
    let Some(mut daemon) = daemon() else { return };
    daemon.lxc(["launch", "busybox", "x", "-s", "fast", "-d", "root,size=64MiB"]).ok();
    daemon.sh("x", "echo one > /root/note && sync").ok();
    daemon.sh("x", "dd if=/dev/urandom of=/root/big bs=1M count=80").fails_with("quota exceeded");
    daemon.sh("x", "rm -f /root/big && sync").ok();
    daemon.lxc(["snapshot", "x", "s1"]).ok();
    daemon.sh("x", "echo two > /root/note && sync").ok();
    daemon.lxc(["copy", "x/s1", "y"]).ok();
    daemon.lxc(["start", "y"]).ok();
    let note = |daemon: &Daemon, name: &str| daemon.sh(name, "cat /root/note").text();
    assert_eq!((note(&daemon, "x"), note(&daemon, "y")), ("two".into(), "one".into()));
    daemon.lxc(["restore", "x", "s1"]).ok();
    assert_eq!(note(&daemon, "x"), "one");
    // What the copy stands on goes before it.
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["restart", "y", "--force"]).ok();
    assert_eq!(note(&daemon, "y"), "one");
    daemon.lxc(["stop", "y", "--force"]).ok();

    // What a boot does to mounts and pools.
    daemon.kill9();
    host(&["umount", "--recursive", &pool(&daemon, "fast").to_string_lossy()]).ok();
    host(&["zpool", "export", TANK]).ok();
    daemon.launch();
    daemon.lxc(["start", "y"]).ok();
    assert_eq!(note(&daemon, "y"), "one");
    let said = daemon.cli(["storage", "verify", "fast"]).ok().text();
    assert!(said.contains("0 places repaired, 0 damaged"), "{said}");
    daemon.lxc(["storage", "set", "fast", "size", "2GiB"]).ok();
    let info = daemon.lxc(["storage", "info", "fast"]).text();
    assert!(info.contains("total space: 1.8"), "{info}");
    daemon.lxc(["delete", "y", "--force"]).ok();
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
}

#[test]
fn machines_live_on_it_too() {
    let Some(daemon) = daemon() else { return };
    if !daemon.tiny() {
        return;
    }
    lab::machines::live_in(&daemon, "fast");
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
    daemon.no_instance_left();
}

#[test]
fn what_cannot_become_a_pool_is_refused_and_leaves_nothing() {
    let Some(daemon) = daemon() else { return };
    let create = |options: &[&str]| {
        let words = [&["storage", "create", "bad", "zfs"], options].concat();
        daemon.run(lab::Client::Lxc, &words)
    };
    create(&["size=10MiB"]).fails_with("it can be");
    create(&["source=/nowhere/at/all"]).fails_with("no such disk");
    create(&["source=none-such/x"]).fails_with("its pool is not there");
    create(&[&format!("zfs.pool_name={TANK}")]).fails_with("there is a pool of that name already");
    create(&["zfs.pool_name=-x"]).fails_with("zfs.pool_name");
    host(&["zfs", "create", &format!("{TANK}/others")]).ok();
    host(&["zfs", "create", &format!("{TANK}/others/data")]).ok();
    create(&[&format!("source={TANK}/others")]).fails_with("it has datasets in it");
    create(&[&format!("source={TANK}/new")]).ok();
    daemon.lxc(["storage", "delete", "bad"]).ok();
    let left = host(&["zfs", "list", "-H", "-o", "name", "-r", TANK]).text();
    assert!(!left.contains("new") && left.contains("others/data"), "{left}");
    assert!(!daemon.lxc(["storage", "list"]).text().contains("bad"));
    daemon.lxc(["storage", "delete", "fast"]).fails_with("others");
    // It was refused before anything was done: the pool serves.
    daemon.lxc(["storage", "volume", "create", "fast", "data"]).ok();
    daemon.lxc(["storage", "volume", "delete", "fast", "data"]).ok();
    host(&["zfs", "destroy", "-r", &format!("{TANK}/others")]).ok();
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
}

#[test]
fn volumes_of_every_kind_are_kept_and_a_volume_chooses_how_it_lies() {
    let Some(daemon) = daemon() else { return };
    lab::volumes::an_iso_is_kept(&daemon, "fast");
    lab::volumes::a_qcow2_becomes_a_disk(&daemon, "fast");
    lab::volumes::a_refresh_follows(&daemon, "fast");
    let volume =
        |words: &[&str]| daemon.run(Client::Lxc, &[&["storage", "volume"], words].concat());
    daemon.busybox("web");
    for (name, file_system) in [("own", "ext4"), ("other", "xfs")] {
        let choice = format!("block.filesystem={file_system}");
        let block = ["zfs.block_mode=true", &choice, "size=320MiB"];
        volume(&[&["create", "fast", name], &block[..]].concat()).ok();
        let at = format!("/{name}");
        volume(&["attach", "fast", name, "web", &at]).ok();
        let seen = daemon.sh("web", &format!("grep ' {at} ' /proc/mounts")).text();
        assert!(seen.contains(&format!(" {file_system} ")), "{seen}");
        daemon.sh("web", &format!("echo one > {at}/note && sync")).ok();
        // While it is in use.
        volume(&["snapshot", "fast", name, "a"]).ok();
        daemon.sh("web", &format!("echo two > {at}/note")).ok();
        volume(&["copy", &format!("fast/{name}"), &format!("default/{name}")]).ok();
        let file = format!("default/{name}/note");
        let pulled = daemon.cli(["storage", "volume", "file", "pull", &file, "-"]);
        assert_eq!(pulled.text(), "two");
    }
    let odd = "zfs.blocksize=3KiB";
    volume(&["create", "fast", "none", odd]).fails_with("a power of two");
    daemon.lxc(["stop", "web", "--force"]).ok();
    volume(&["restore", "fast", "own", "a"]).ok();
    daemon.lxc(["start", "web"]).ok();
    assert_eq!(daemon.sh("web", "cat /own/note; cat /other/note").text(), "one\ntwo");
    daemon.lxc(["delete", "web", "--force"]).ok();
    for name in ["own", "other"] {
        volume(&["delete", "fast", name]).ok();
        volume(&["delete", "default", name]).ok();
    }
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
}

#[test]
fn a_roots_disk_says_how_it_is_made() {
    let Some(daemon) = daemon() else { return };
    let launch = |name: &str, says: &[&str]| {
        let says = says.iter().flat_map(|says| ["-d", says]);
        let words = ["launch", "busybox", name, "-s", "fast"].into_iter().chain(says);
        daemon.run(Client::Lxc, &words.collect::<Vec<_>>())
    };
    let block = ["root,initial.zfs.block_mode=true", "root,initial.block.filesystem=xfs"];
    launch("x", &[&block[..], &["root,size=320MiB"]].concat()).ok();
    let lies_on = |name: &str| daemon.sh(name, "grep ' / ' /proc/mounts").text();
    assert!(lies_on("x").contains(" xfs "), "{}", lies_on("x"));
    let row = daemon.get("/1.0/storage-pools/fast/volumes/container/x");
    assert_eq!(row["config"]["block.filesystem"], "xfs", "{row}");
    // Its copy and what it is made anew of are so too.
    daemon.lxc(["copy", "x", "y"]).ok();
    daemon.lxc(["start", "y"]).ok();
    assert!(lies_on("y").contains(" xfs "), "{}", lies_on("y"));
    daemon.lxc(["stop", "y", "--force"]).ok();
    daemon.cli(["rebuild", "busybox", "y"]).ok();
    daemon.lxc(["start", "y"]).ok();
    assert!(lies_on("y").contains(" xfs "), "{}", lies_on("y"));
    launch("z", &["root,initial.lvm.stripes=2"]).fails_with("lvm.stripes");
    launch("z", &["root,initial.size=1GiB"]).fails_with("what its disk says as size");
    for name in ["x", "y"] {
        daemon.lxc(["delete", name, "--force"]).ok();
    }
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
}

#[test]
fn a_container_manages_the_dataset_that_is_delegated_to_it() {
    let Some(mut daemon) = daemon() else { return };
    let says = ["-d", "root,initial.zfs.delegate=true", "-d", "root,size=64MiB"];
    let words = [&["launch", "busybox", "x", "-s", "fast"], &says[..]].concat();
    daemon.run(Client::Lxc, &words).ok();
    daemon.lxc(["launch", "busybox", "other", "-s", "fast"]).ok();
    // The machine's own programs, in a root that has none.
    for name in ["x", "other"] {
        for folder in ["/usr/sbin", "/usr/lib"] {
            let device = folder.replace('/', "");
            let (source, path) = (format!("source={folder}"), format!("path={folder}"));
            let add = ["config", "device", "add", name, &device, "disk", &source, &path];
            daemon.lxc(add).ok();
        }
        daemon.sh(name, "ln -sfn usr/lib /lib; mkdir -p /lib64; cp /usr/lib/x86_64-linux-gnu/ld-linux* /lib64/").ok();
    }
    let zfs = |daemon: &Daemon, name: &str, words: &str| {
        daemon.sh(name, &format!("/usr/sbin/zfs {words}"))
    };
    let own = zfs(&daemon, "x", "list -H -o name").text();
    let own = own.lines().last().unwrap_or_default().to_owned();
    assert!(own.starts_with(&format!("{TANK}/v_")), "{own}");
    zfs(&daemon, "x", &format!("create -o mountpoint=/inner {own}/inner")).ok();
    daemon.sh("x", "echo one > /inner/note").ok();
    zfs(&daemon, "x", &format!("snapshot {own}/inner@a")).ok();
    zfs(&daemon, "x", &format!("clone {own}/inner@a {own}/twin")).ok();
    // What it makes counts for its size, and others' datasets are none of its own.
    daemon.sh("x", "dd if=/dev/urandom of=/inner/big bs=1M count=80").fails_with("quota exceeded");
    zfs(&daemon, "x", &format!("create {TANK}/mine")).fails();
    zfs(&daemon, "other", "list").fails();
    assert!(!daemon.sh("other", "ls /dev").text().contains("zfs"));

    // Snapshots of the server's and copies go on, and it has all again after a stop and a crash.
    daemon.lxc(["snapshot", "x", "s1"]).ok();
    daemon.lxc(["copy", "x/s1", "y"]).ok();
    daemon.lxc(["stop", "x", "--force"]).ok();
    daemon.kill9();
    daemon.launch();
    daemon.lxc(["start", "x"]).ok();
    zfs(&daemon, "x", &format!("mount {own}/inner")).ok();
    assert_eq!(daemon.sh("x", "cat /inner/note").text(), "one");
    for name in ["x", "y", "other"] {
        daemon.lxc(["delete", name, "--force"]).ok();
    }
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
}

#[test]
fn an_encrypted_pool_opens_with_its_key_or_its_passphrase() {
    let Some(mut daemon) = daemon() else { return };
    if !lab::installed("cryptsetup") || !Path::new("/sys/class/misc/device-mapper").exists() {
        return lab::skip("no cryptsetup, or the kernel has no device mapper");
    }
    let create = |words: &[&str]| {
        daemon.run(Client::Lxc, &[&["storage", "create", "safe", "zfs"], words].concat())
    };
    create(&[&format!("source={TANK}/new"), "source.encrypt=true"])
        .fails_with("encrypted by whoever makes it");
    let name = format!("zfs.pool_name={TANK}-safe");
    create(&["size=1GiB", "source.encrypt=true", &name]).ok();
    daemon.lxc(["launch", "busybox", "x", "-s", "safe"]).ok();
    daemon.sh("x", "echo kept > /root/note && sync").ok();
    let status = host(&["zpool", "status", "-P", &format!("{TANK}-safe")]).text();
    assert!(status.contains("/dev/mapper/microcloud-"), "{status}");
    daemon.cli(["storage", "rekey", "safe"]).ok();
    daemon.lxc(["stop", "x", "--force"]).ok();
    // What a boot does.
    daemon.kill9();
    host(&["umount", "--recursive", &pool(&daemon, "safe").to_string_lossy()]).ok();
    host(&["zpool", "export", &format!("{TANK}-safe")]).ok();
    let open = host(&["dmsetup", "ls", "--target", "crypt"]).text();
    let disk = open.split_whitespace().next().unwrap_or_default().to_owned();
    host(&["cryptsetup", "close", &disk]).ok();
    daemon.launch();
    daemon.lxc(["start", "x"]).ok();
    assert_eq!(daemon.sh("x", "cat /root/note").text(), "kept");
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["storage", "delete", "safe"]).ok();
    assert!(!pool(&daemon, "safe.img").exists());
    let keys = std::fs::read_dir(daemon.folder().join("storage-keys"));
    assert_eq!(keys.map_or(0, Iterator::count), 0);
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
}
