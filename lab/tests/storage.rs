//! Storage pools other than the usual one, with the stock client.

use std::path::Path;

use lab::{Daemon, host, until};

/// A daemon with a pool `fast` on btrfs; `None`, and a word why, where there is no btrfs.
fn daemon() -> Option<Daemon> {
    if !lab::installed("mkfs.btrfs") {
        lab::skip("mkfs.btrfs is not installed");
        return None;
    }
    let daemon = Daemon::ready()?;
    daemon.lxc(["storage", "create", "fast", "btrfs", "size=512MiB"]).ok();
    Some(daemon)
}

/// A pool's file, loop device and mount are gone.
fn nothing_left_of_a_pool(daemon: &Daemon, name: &str) {
    daemon.lxc(["storage", "delete", name]).ok();
    let folder = daemon.folder().join("storage-pools");
    let left = |name: &str| Path::exists(&folder.join(name));
    assert!(!left(name) && !left(&format!("{name}.img")), "{name} is still in {folder:?}");
    let loops = host(&["losetup", "--all"]).text();
    let file = folder.join(format!("{name}.img"));
    assert!(!loops.contains(&*file.to_string_lossy()), "{loops}");
}

#[test]
fn a_pool_on_btrfs_from_its_making_to_its_end() {
    let Some(daemon) = daemon() else { return };
    let show = daemon.lxc(["storage", "show", "fast"]).text();
    assert!(show.contains("driver: btrfs") && show.contains("fast.img"), "{show}");
    let info = daemon.lxc(["storage", "info", "fast"]).text();
    assert!(info.contains("total space: 512.00MiB"), "{info}");

    // A root that may have 20 MiB.
    daemon.lxc(["launch", "busybox", "x", "-s", "fast", "-d", "root,size=20MiB"]).ok();
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.sh("x", "dd if=/dev/zero of=/root/big bs=1M count=40").fails_with("quota exceeded");
    daemon.sh("x", "rm /root/big && dd if=/dev/zero of=/root/small bs=1M count=5 && sync").ok();
    daemon.lxc(["restart", "x", "--force"]).ok();
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");

    daemon.lxc(["storage", "set", "fast", "size", "800MiB"]).ok();
    let info = daemon.lxc(["storage", "info", "fast"]).text();
    assert!(info.contains("total space: 800.00MiB"), "{info}");
    daemon.lxc(["storage", "set", "fast", "size", "300MiB"]).fails_with("cannot shrink");
    assert_eq!(daemon.lxc(["storage", "get", "fast", "size"]).text(), "800MiB");
    daemon.lxc(["storage", "delete", "fast"]).fails_with("in use");
    daemon.lxc(["delete", "x", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "fast");
}

#[test]
fn a_pool_on_btrfs_is_there_again_after_a_boot() {
    let Some(mut daemon) = daemon() else { return };
    daemon.lxc(["launch", "busybox", "x", "-s", "fast"]).ok();
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.lxc(["stop", "x", "--force"]).ok();
    daemon.kill9();
    // What a boot does to mounts.
    host(&["umount", &daemon.folder().join("storage-pools/fast").to_string_lossy()]).ok();
    daemon.launch();
    daemon.lxc(["start", "x"]).ok();
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");
    daemon.lxc(["delete", "x", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "fast");
}

#[test]
fn what_cannot_become_a_pool_is_refused_and_leaves_nothing() {
    let Some(daemon) = daemon() else { return };
    let create = |option: &str| daemon.lxc(["storage", "create", "bad", "btrfs", option]);
    create("size=ten").fails_with("size");
    create("size=10MiB").fails_with("it can be");
    create("size=900TiB").fails_with("it can be");
    create("source=/nowhere/at/all").fails_with("no such disk or folder");
    create("source=/proc").fails_with("not of a btrfs");
    create("sise=1GiB").fails_with("sise");
    daemon.lxc(["storage", "create", "bad", "floppy"]).fails_with("btrfs, ceph, dir, lvm");
    daemon.lxc(["storage", "create", "fast", "btrfs"]).fails_with("already exists");

    let file = daemon.scratch().join("disk");
    std::fs::File::create(&file).and_then(|file| file.set_len(300 << 20)).unwrap();
    let device = host(&["losetup", "--find", "--show", &file.to_string_lossy()]).text();
    host(&["mkfs.ext4", "-q", &device]).ok();
    let source = format!("source={device}");
    create(&source).fails_with("source.wipe=true");
    assert!(!daemon.lxc(["storage", "list"]).text().contains("bad"));
    daemon.lxc(["storage", "create", "disk", "btrfs", &source, "source.wipe=true"]).ok();
    daemon.lxc(["launch", "busybox", "x", "-s", "disk"]).ok();
    daemon.lxc(["delete", "x", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "disk");
    nothing_left_of_a_pool(&daemon, "fast");
    host(&["losetup", "--detach", &device]).ok();
}

#[test]
fn two_pools_never_share_a_source() {
    let Some(daemon) = Daemon::ready() else { return };
    let folder = daemon.scratch().join("one");
    std::fs::create_dir(&folder).unwrap();
    let source = |path: &Path| format!("source={}", path.display());
    daemon.lxc(["storage", "create", "a", "dir", &source(&folder)]).ok();
    // An image there, and no instance: a pool that shared it could delete it.
    daemon.lxc(["launch", "busybox", "x", "-s", "a"]).ok();
    daemon.lxc(["delete", "x", "--force"]).ok();
    let images = || std::fs::read_dir(folder.join("images")).map_or(0, Iterator::count);
    assert_eq!(images(), 1);

    let link = daemon.scratch().join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    let own = daemon.folder().join("storage-pools/default");
    for (path, of) in [
        (folder.clone(), "\"a\""),
        (folder.join("../one/."), "\"a\""),
        (link, "\"a\""),
        (folder.join("custom"), "\"a\""),
        (daemon.scratch(), "\"a\""),
        (own.clone(), "\"default\""),
        (own.join("custom"), "\"default\""),
    ] {
        daemon.lxc(["storage", "create", "b", "dir", &source(&path)]).fails_with(of);
        assert!(!daemon.lxc(["storage", "list"]).text().contains("| b "), "{path:?}");
        assert_eq!(images(), 1, "{path:?}");
    }
    daemon.lxc(["launch", "busybox", "x", "-s", "a"]).ok();
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["storage", "delete", "a"]).ok();
    std::fs::create_dir_all(&folder).unwrap();
    daemon.lxc(["storage", "create", "b", "dir", &source(&folder)]).ok();
    daemon.lxc(["storage", "delete", "b"]).ok();
}

#[test]
fn two_pools_never_share_a_disk() {
    let Some(daemon) = daemon() else { return };
    let file = daemon.scratch().join("disk");
    std::fs::File::create(&file).and_then(|file| file.set_len(300 << 20)).unwrap();
    let device = host(&["losetup", "--find", "--show", &file.to_string_lossy()]).text();
    let source = format!("source={device}");
    daemon.lxc(["storage", "create", "a", "btrfs", &source]).ok();
    let link = daemon.scratch().join("disk-by-another-name");
    std::os::unix::fs::symlink(&device, &link).unwrap();
    let other = format!("source={}", link.display());
    let mounted = format!("source={}", daemon.folder().join("storage-pools/a").display());
    for source in [&source, &other, &mounted] {
        for more in ["user.a=b", "source.wipe=true"] {
            let words = ["storage", "create", "b", "btrfs", source, more];
            daemon.lxc(words).fails_with("\"a\"");
        }
    }
    daemon.lxc(["launch", "busybox", "x", "-s", "a"]).ok();
    daemon.lxc(["delete", "x", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "a");
    nothing_left_of_a_pool(&daemon, "fast");
    host(&["losetup", "--detach", &device]).ok();
}

#[test]
fn a_pool_whose_source_is_gone_comes_back_and_so_do_its_instances() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let (folder, away) = (daemon.scratch().join("one"), daemon.scratch().join("away"));
    std::fs::create_dir(&folder).unwrap();
    let source = format!("source={}", folder.display());
    daemon.lxc(["storage", "create", "a", "dir", &source]).ok();
    daemon.lxc(["launch", "busybox", "x", "-s", "a"]).ok();
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.power_down();
    std::fs::rename(&folder, &away).unwrap();
    // What a mount point is without its disk.
    std::fs::create_dir(&folder).unwrap();
    daemon.launch();
    let unavailable = |daemon: &Daemon| {
        let list = daemon.lxc(["storage", "list", "--format", "csv"]).text();
        let line = list.lines().find(|line| line.starts_with("a,")).map(str::to_owned);
        line.is_some_and(|line| line.contains("UNAVAILABLE"))
    };
    until("it is seen", || unavailable(&daemon).then_some(()));
    daemon.lxc(["start", "x"]).fails_with("storage pool \"a\" is unavailable");
    daemon.lxc(["launch", "busybox", "z", "-s", "a"]).fails_with("unavailable");
    daemon.lxc(["launch", "busybox", "y"]).ok();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

    std::fs::remove_dir(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    daemon.await_status("x", "Running");
    assert!(!unavailable(&daemon));
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["storage", "delete", "a"]).ok();
}

#[test]
fn a_pool_of_another_server_is_not_taken() {
    let Some(daemon) = Daemon::ready() else { return };
    let Some(other) = Daemon::with(&daemon.beside()) else { return };
    let folder = daemon.scratch().join("one");
    std::fs::create_dir(&folder).unwrap();
    let source = format!("source={}", folder.display());
    daemon.lxc(["storage", "create", "a", "dir", &source]).ok();
    daemon.lxc(["launch", "busybox", "x", "-s", "a"]).ok();
    other.lxc(["storage", "create", "b", "dir", &source]).fails_with("another storage pool");
    assert!(!other.lxc(["storage", "list"]).text().contains("| b "));
    daemon.lxc(["stop", "x", "--force"]).ok();
    daemon.lxc(["start", "x"]).ok();
    let id = daemon.lxc(["storage", "get", "a", "volatile.uuid"]).text();
    daemon.lxc(["storage", "set", "a", "user.note", "hello"]).ok();
    assert_eq!(daemon.lxc(["storage", "get", "a", "volatile.uuid"]).text(), id);
    daemon.lxc(["storage", "set", "a", "volatile.uuid", "another"]).fails_with("cannot change");
    daemon.lxc(["storage", "create", "c", "dir", &source, "size=1GiB"]).fails_with("size");
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["storage", "delete", "a"]).ok();
}

#[test]
fn a_disk_is_found_whatever_its_name_is_after_a_boot() {
    let Some(mut daemon) = daemon() else { return };
    let file = |name: &str| {
        let path = daemon.scratch().join(name);
        std::fs::File::create(&path).and_then(|file| file.set_len(300 << 20)).unwrap();
        path.display().to_string()
    };
    let (disk, stranger) = (file("disk"), file("stranger"));
    let first = host(&["losetup", "--find", "--show", &disk]).text();
    daemon.lxc(["storage", "create", "a", "btrfs", &format!("source={first}")]).ok();
    daemon.lxc(["launch", "busybox", "x", "-s", "a"]).ok();
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.power_down();
    host(&["umount", &daemon.folder().join("storage-pools/a").to_string_lossy()]).ok();
    host(&["losetup", "--detach", &first]).ok();
    until("it is detached", || (host(&["losetup", &first, &stranger]).status == 0).then_some(()));
    let second = host(&["losetup", "--find", "--show", &disk]).text();
    assert_ne!(first, second);
    daemon.launch();
    daemon.await_status("x", "Running");
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");
    daemon.lxc(["delete", "x", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "a");
    nothing_left_of_a_pool(&daemon, "fast");
    host(&["losetup", "--detach", &first, &second]).ok();
}
