//! The database is lost, the disks are not.

use std::path::Path;

use lab::{Client, Daemon, until};

/// The record of a pool says that.
fn recorded(folder: &Path, words: &str) {
    until("it is recorded", || {
        let text = std::fs::read_to_string(folder.join("recovery.json")).unwrap_or_default();
        text.contains(words).then_some(())
    });
}

fn lose_the_database(daemon: &mut Daemon) {
    daemon.kill9();
    for name in ["database", "local.db", "local.db-wal", "local.db-shm"] {
        let path = daemon.folder().join(name);
        match path.is_dir() {
            true => std::fs::remove_dir_all(&path).unwrap_or_else(|e| panic!("{path:?}: {e}")),
            false => drop(std::fs::remove_file(&path)),
        }
    }
    daemon.launch();
}

#[test]
fn a_server_whose_database_is_lost_gets_all_of_it_back() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let folder = daemon.scratch().join("one");
    std::fs::create_dir(&folder).unwrap();
    let source = format!("source={}", folder.display());
    daemon.lxc(["storage", "create", "a", "dir", &source, "user.note=mine"]).ok();
    daemon.lxc(["project", "create", "other"]).ok();
    daemon.lxc(["profile", "create", "small"]).ok();
    daemon.lxc(["profile", "set", "small", "limits.processes", "200"]).ok();
    daemon.lxc(["launch", "busybox", "x", "-p", "default", "-p", "small"]).ok();
    daemon.lxc(["launch", "busybox", "y", "-s", "a", "-c", "user.purpose=photos"]).ok();
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.lxc(["storage", "volume", "create", "a", "photos", "user.of=summer"]).ok();
    daemon.lxc(["snapshot", "y", "before"]).ok();
    daemon.sh("y", "echo later > /root/file && sync").ok();
    daemon.lxc(["stop", "y", "--force"]).ok();
    let address = daemon.address("x");
    recorded(&daemon.folder().join("storage-pools/default"), "\"small\"");
    recorded(&folder, "\"before\"");

    // One of them runs on: its monitor needs no database.
    lose_the_database(&mut daemon);
    assert_eq!(daemon.lxc(["list", "--format", "csv"]).text(), "");
    daemon.lxc(["storage", "create", "again", "dir", &source]).fails_with("another storage pool");
    let found = daemon.cli(["recover", "--yes"]).text();
    for words in ["default", "x", "y", "photos", "Recovered: 3 volumes"] {
        assert!(found.contains(words), "{words}: {found}");
    }
    assert_eq!((daemon.status("x"), daemon.status("y")), ("Running".into(), "Stopped".into()));
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");
    assert_eq!(daemon.address("x"), address);
    assert_eq!(daemon.lxc(["config", "get", "y", "user.purpose"]).text(), "photos");
    assert_eq!(daemon.lxc(["profile", "get", "small", "limits.processes"]).text(), "200");
    assert_eq!(daemon.lxc(["storage", "get", "a", "user.note"]).text(), "mine");
    let of = daemon.lxc(["storage", "volume", "get", "a", "photos", "user.of"]).text();
    assert_eq!(of, "summer");
    assert!(daemon.lxc(["project", "list"]).text().contains("other"));
    daemon.lxc(["start", "y"]).ok();
    assert_eq!(daemon.sh("y", "cat /root/file").text(), "later");
    daemon.lxc(["stop", "y", "--force"]).ok();
    daemon.lxc(["restore", "y", "before"]).ok();
    daemon.lxc(["start", "y"]).ok();
    daemon.sh("y", "cat /root/file").fails();
    daemon.cli(["launch", "local:busybox", "new"]).fails();
    assert!(daemon.cli(["recover"]).text().contains("nothing to recover"));
    daemon.lxc(["storage", "volume", "delete", "a", "photos"]).ok();
    for name in ["x", "y"] {
        daemon.lxc(["delete", name, "--force"]).ok();
    }
    daemon.lxc(["storage", "delete", "a"]).ok();
}

#[test]
fn a_disk_of_another_server_is_taken_in_with_its_instances() {
    if !lab::installed("mkfs.btrfs") {
        return lab::skip("mkfs.btrfs is not installed");
    }
    let Some(mut old) = Daemon::ready() else { return };
    let Some(new) = Daemon::with(&old.beside()) else { return };
    new.cli(["init", "--auto"]).ok();
    let file = old.scratch().join("disk");
    std::fs::File::create(&file).and_then(|file| file.set_len(300 << 20)).unwrap();
    let disk = lab::host(&["losetup", "--find", "--show", &file.to_string_lossy()]).text();
    old.lxc(["storage", "create", "usb", "btrfs", &format!("source={disk}")]).ok();
    old.lxc(["launch", "busybox", "x", "-s", "usb", "-c", "user.purpose=photos"]).ok();
    old.sh("x", "echo kept > /root/file && sync").ok();
    old.lxc(["snapshot", "x", "before"]).ok();
    let mounted = old.folder().join("storage-pools/usb");
    recorded(&mounted, "\"before\"");
    old.power_down();
    lab::host(&["umount", &mounted.to_string_lossy()]).ok();
    // A copy of the disk, so that its server has it still at the end.
    lab::host(&["losetup", "--detach", &disk]).ok();
    let copy = old.scratch().join("copy");
    lab::host(&["cp", "--sparse=always", &file.to_string_lossy(), &copy.to_string_lossy()]).ok();
    let show =
        |file: &Path| lab::host(&["losetup", "--find", "--show", &file.to_string_lossy()]).text();
    let disk = show(&copy);

    let words = ["recover", "--yes", "--pool", "usb", "btrfs", &disk];
    let found = new.run(Client::Cli, &words).text();
    assert!(found.contains("Storage pool: usb") && found.contains("1 volumes"), "{found}");
    assert_eq!(new.lxc(["config", "get", "x", "user.purpose"]).text(), "photos");
    new.lxc(["start", "x"]).ok();
    assert_eq!(new.sh("x", "cat /root/file").text(), "kept");
    assert!(new.lxc(["info", "x"]).text().contains("before"));
    new.lxc(["delete", "x", "--force"]).ok();
    new.lxc(["storage", "delete", "usb"]).ok();
    // A pool that is nowhere, and one of another driver.
    let missing = ["recover", "--pool", "no", "dir", "/nowhere/at/all"];
    let said = new.run(Client::Cli, &missing).text();
    assert!(said.contains("Cannot recover") && said.contains("/nowhere/at/all"), "{said}");
    assert!(!new.lxc(["storage", "list"]).text().contains("| no "));
    until("the copy goes", || {
        lab::host(&["losetup", "--detach", &disk]);
        let left = lab::host(&["losetup", "--associated", &copy.to_string_lossy()]).text();
        left.is_empty().then_some(())
    });

    let disk = show(&file);
    old.launch();
    old.await_status("x", "Running");
    old.lxc(["delete", "x", "--force"]).ok();
    old.lxc(["storage", "delete", "usb"]).ok();
    lab::host(&["losetup", "--detach", &disk]).ok();
}

#[test]
fn an_instance_that_no_record_names_keeps_its_files() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let pool = daemon.folder().join("storage-pools/default");
    // Nobody would know of it afterwards.
    daemon.lxc(["profile", "device", "remove", "default", "eth0"]).ok();
    daemon.lxc(["network", "delete", "mcbr0"]).ok();
    daemon.busybox("x");
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.lxc(["stop", "x", "--force"]).ok();
    recorded(&pool, "\"x\"");
    daemon.kill9();
    std::fs::remove_file(pool.join("recovery.json")).unwrap();
    lose_the_database(&mut daemon);
    daemon.cli(["recover", "--yes"]).ok();
    daemon.lxc(["start", "x"]).ok();
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");
    daemon.lxc(["delete", "x", "--force"]).ok();
}

#[test]
fn volumes_and_buckets_of_every_project_come_back() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let pool = daemon.folder().join("storage-pools/default");
    daemon.lxc(["project", "create", "other"]).ok();
    for project in ["default", "other"] {
        let name = if project == "other" { "films" } else { "photos" };
        let volume = |words: &[&str]| {
            let of = format!("--project={project}");
            daemon.run(Client::Lxc, &[&["storage", "volume"], words, &[&of]].concat())
        };
        volume(&["create", "default", "shelf", &format!("user.of={project}")]).ok();
        volume(&["snapshot", "default", "shelf", "before"]).ok();
        let bucket = ["storage", "bucket", "create", "default", name, "size=1GiB"];
        daemon.run(Client::Cli, &[&bucket[..], &["--project", project]].concat()).ok();
    }
    let key = |daemon: &Daemon, name: &str, project: &str| {
        let words = ["storage", "bucket", "key", "show", "default", name, "admin"];
        daemon.run(Client::Cli, &[&words[..], &["--project", project]].concat()).text()
    };
    let keys = [key(&daemon, "photos", "default"), key(&daemon, "films", "other")];
    let file = pool.join("custom/other_shelf/data/film");
    std::fs::write(&file, "kept").unwrap();
    recorded(&pool, "\"films\"");

    lose_the_database(&mut daemon);
    let found = daemon.cli(["recover", "--yes"]).text();
    assert!(found.contains("Recovered: 4 volumes"), "{found}");
    assert_eq!([key(&daemon, "photos", "default"), key(&daemon, "films", "other")], keys);
    for project in ["default", "other"] {
        let of = format!("--project={project}");
        let get = ["storage", "volume", "get", "default", "shelf", "user.of", &of];
        assert_eq!(daemon.run(Client::Lxc, &get).text(), project);
        let show = ["storage", "volume", "show", "default", "shelf/before", &of];
        daemon.run(Client::Lxc, &show).ok();
        let delete = ["storage", "volume", "delete", "default", "shelf", &of];
        daemon.run(Client::Lxc, &delete).ok();
    }
    assert!(!file.exists());
    daemon.cli(["storage", "bucket", "delete", "default", "photos"]).ok();
    daemon.cli(["storage", "bucket", "delete", "default", "films", "--project", "other"]).ok();
}
