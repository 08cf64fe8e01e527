//! What is kept of virtual machines: backups, images, copies, moves; with both clients, in QEMU.

use lab::machines::boots;
use lab::{Client, Daemon, host};

/// A tiny machine that ran once, has a snapshot of then, and ran again.
fn with_a_past(daemon: &Daemon, name: &str) {
    daemon.lxc(["launch", "tiny", name, "--vm", "--device", "root,size=32MiB"]).ok();
    daemon.says(name, "guest is up, boot 1");
    daemon.lxc(["snapshot", name, "one"]).ok();
    daemon.lxc(["restart", name, "--force"]).ok();
    daemon.says(name, "guest is up, boot 2");
}

#[test]
fn a_backup_and_an_image_have_all_of_a_machine() {
    let Some(daemon) = Daemon::machines() else { return };
    with_a_past(&daemon, "v");
    for client in Client::BOTH {
        let file = daemon.scratch().join(format!("{client:?}.tar"));
        let file = file.to_string_lossy();
        let run = |words: &[&str]| daemon.run(client, words);
        // It runs meanwhile.
        run(&["export", "v", &file]).ok();
        let parts = host(&["tar", "tf", &file]).text();
        for part in ["", "-snapshots/one"] {
            let part = format!("backup/virtual-machine{part}.img");
            assert!(parts.lines().any(|line| line == part), "{part} in {parts}");
        }
        run(&["import", &file, "w"]).ok();
        boots(&daemon, "w", 3);
        run(&["restore", "w", "one"]).ok();
        boots(&daemon, "w", 2);
        run(&["delete", "w"]).ok();
        std::fs::remove_file(&*file).unwrap_or_else(|e| panic!("{e}"));
    }
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        let alias = format!("{client:?}").to_lowercase();
        run(&["publish", "v/one", "--alias", &alias]).ok();
        let listed = daemon.cli(["image", "list", &alias]).text();
        assert!(listed.contains("VIRTUAL-MACHINE"), "{listed}");
        run(&["launch", &format!("local:{alias}"), "w", "--vm"]).ok();
        daemon.says("w", "guest is up, boot 2");
        run(&["delete", "w", "--force"]).ok();
    }
    daemon.cli(["stop", "v", "--force"]).ok();
    daemon.cli(["publish", "v", "--alias", "now"]).ok();
    daemon.lxc(["init", "now", "w", "--vm"]).ok();
    boots(&daemon, "w", 3);

    // Rebuilt of another image it begins anew.
    daemon.cli(["rebuild", "local:tiny", "w"]).ok();
    boots(&daemon, "w", 1);
    daemon.cli(["rebuild", "local:busybox", "w"]).fails_with("is one of a container");
    daemon.cli(["rebuild", "w", "--empty"]).ok();
    daemon.cli(["delete", "v", "w"]).ok();
    daemon.no_instance_left();
}

#[test]
fn a_machine_moves_grows_and_is_found_again() {
    let Some(mut daemon) = Daemon::machines() else { return };
    with_a_past(&daemon, "v");
    daemon.lxc(["config", "device", "set", "v", "root", "size", "48MiB"]).ok();
    daemon.says("v", "disk sda: 48 MiB");
    daemon.lxc(["config", "device", "set", "v", "root", "size", "40MiB"]).fails_with("shrink");
    let size = daemon.lxc(["config", "device", "get", "v", "root", "size"]).text();
    assert_eq!(size, "48MiB");
    daemon.lxc(["stop", "v", "--force"]).ok();
    daemon.lxc(["config", "device", "set", "v", "root", "size", "64MiB"]).ok();

    // A copy follows its source, and goes to another pool with its past.
    daemon.lxc(["copy", "v", "w"]).ok();
    boots(&daemon, "v", 3);
    daemon.says("v", "disk sda: 64 MiB");
    daemon.lxc(["snapshot", "v", "two"]).ok();
    boots(&daemon, "v", 4);
    daemon.lxc(["copy", "v", "w", "--refresh"]).ok();
    boots(&daemon, "w", 5);
    daemon.lxc(["storage", "create", "other", "dir"]).ok();
    daemon.lxc(["move", "w", "-s", "other"]).ok();
    boots(&daemon, "w", 6);
    daemon.lxc(["restore", "w", "two"]).ok();
    boots(&daemon, "w", 4);
    daemon.lxc(["restore", "w", "one"]).ok();
    boots(&daemon, "w", 2);

    // One of them runs on while the database is lost.
    daemon.lxc(["start", "v"]).ok();
    daemon.says("v", "guest is up, boot 5");
    lab::until("it is recorded", || {
        let record = daemon.folder().join("storage-pools/default/recovery.json");
        let text = std::fs::read_to_string(record).unwrap_or_default();
        text.contains("\"two\"").then_some(())
    });
    let before = daemon.init_of("v");
    daemon.kill9();
    std::fs::remove_dir_all(daemon.folder().join("database")).unwrap_or_else(|e| panic!("{e}"));
    for name in ["local.db", "local.db-wal", "local.db-shm"] {
        // Not all of them are there at any moment.
        drop(std::fs::remove_file(daemon.folder().join(name)));
    }
    daemon.launch();
    daemon.cli(["recover", "--yes"]).ok();
    let listed = daemon.lxc(["list"]).text();
    assert_eq!(listed.matches("VIRTUAL-MACHINE").count(), 2, "{listed}");
    assert_eq!((daemon.status("v").as_str(), daemon.init_of("v")), ("Running", before));
    daemon.lxc(["stop", "v", "--force"]).ok();
    daemon.lxc(["restore", "v", "one"]).ok();
    boots(&daemon, "v", 2);
    daemon.lxc(["delete", "v", "w"]).ok();
    daemon.no_instance_left();
}

#[test]
fn what_the_firmware_remembers_goes_with_the_disk() {
    let Some(daemon) = Daemon::machines() else { return };
    let variables = |pool: &str, name: &str| {
        let machine = daemon.folder().join("storage-pools").join(pool).join("virtual-machines");
        let folder = machine.join(format!("{name}/nvram"));
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = files.map(|entry| entry.path()).collect();
        assert!(files.len() <= 1, "{files:?}");
        files.pop()
    };
    let has = |pool: &str, name: &str| {
        variables(pool, name).and_then(|file| std::fs::read(file).ok()).unwrap_or_default()
    };
    daemon.lxc(["init", "e", "--empty", "--vm", "--device", "root,size=16MiB"]).ok();
    daemon.lxc(["config", "set", "e", "security.secureboot=false"]).ok();
    daemon.lxc(["snapshot", "e", "new"]).ok();
    daemon.lxc(["start", "e"]).ok();
    daemon.says("e", "Shell>");
    daemon.lxc(["stop", "e", "--force"]).ok();
    let first = has("default", "e");
    assert!(first.len() > 100 << 10, "{} bytes", first.len());
    daemon.lxc(["snapshot", "e", "first"]).ok();
    daemon.lxc(["copy", "e", "c"]).ok();
    let mut second = first.clone();
    second.splice(..4, *b"else");
    let file = variables("default", "e").unwrap_or_default();
    std::fs::write(&file, &second).unwrap_or_else(|e| panic!("{file:?}: {e}"));
    assert!(has("default", "c") == first, "a copy has its own");

    let backup = daemon.scratch().join("e.tar");
    let backup = backup.to_string_lossy();
    daemon.cli(["export", "e", &backup]).ok();
    daemon.cli(["import", &backup, "b"]).ok();
    assert!(has("default", "b") == second, "a backup has it");
    daemon.lxc(["copy", "e", "c", "--refresh"]).ok();
    assert!(has("default", "c") == second, "a copy is brought up to date");
    daemon.lxc(["storage", "create", "other", "dir"]).ok();
    daemon.lxc(["move", "b", "-s", "other"]).ok();
    assert!(has("other", "b") == second, "it moves");
    daemon.lxc(["config", "set", "e", "volatile.apply_nvram=true"]).ok();
    daemon.lxc(["start", "e"]).ok();
    daemon.lxc(["stop", "e", "--force"]).ok();
    assert!(!has("default", "e").starts_with(b"else"), "it has new ones");
    assert_eq!(daemon.lxc(["config", "get", "e", "volatile.apply_nvram"]).text(), "");
    for name in ["e", "b", "c"] {
        let pool = if name == "b" { "other" } else { "default" };
        daemon.lxc(["restore", name, "first"]).ok();
        assert!(has(pool, name) == first, "{name} has what it had");
        daemon.lxc(["restore", name, "new"]).ok();
        assert_eq!(variables(pool, name), None, "{name} has none, as it had");
    }
}

/// The guest has that in its memory, which a boot would have lost.
fn remembers(daemon: &Daemon, name: &str, note: &str) {
    lab::within(std::time::Duration::from_secs(60), "the agent answers", || {
        let said = daemon.cli(["exec", name, "--", "cat", "/run/note"]);
        (said.status == 0).then(|| assert_eq!(said.text(), note))
    });
}

fn note(daemon: &Daemon, name: &str, note: &str) {
    let write = format!("echo {note} > /run/note");
    lab::within(std::time::Duration::from_secs(90), "the agent answers", || {
        let said = daemon.cli(["exec", name, "--", "sh", "-c", &write]);
        (said.status == 0).then_some(())
    });
}

#[test]
fn a_machine_goes_on_where_it_was() {
    let Some(mut daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let folder = daemon.folder().join("storage-pools/default/virtual-machines/v");
    daemon.lxc(["launch", "tiny", "v", "--vm", "--device", "root,size=16MiB"]).ok();
    daemon.lxc(["config", "device", "add", "v", "eth1", "nic", "network=mcbr0"]).ok();
    note(&daemon, "v", "one");
    let init = daemon.init_of("v");
    daemon.lxc(["stop", "v", "--stateful"]).fails_with("migration.stateful");
    daemon.lxc(["config", "set", "v", "migration.stateful=true", "limits.memory=512MiB"]).ok();
    // No room: it runs on.
    daemon.lxc(["config", "device", "set", "v", "root", "size.state=1MiB"]).ok();
    daemon.lxc(["stop", "v", "--stateful"]).fails_with("size.state");
    assert_eq!((daemon.status("v").as_str(), daemon.init_of("v")), ("Running", init));
    remembers(&daemon, "v", "one");
    daemon.lxc(["config", "device", "unset", "v", "root", "size.state"]).ok();

    for client in Client::BOTH {
        daemon.run(client, &["stop", "v", "--stateful"]).ok();
        assert_eq!(daemon.status("v"), "Stopped");
        assert_eq!(daemon.get("/1.0/instances/v")["stateful"], true);
        // Another daemon knows of it.
        daemon.kill9();
        daemon.launch();
        daemon.run(client, &["start", "v"]).ok();
        remembers(&daemon, "v", "one");
        assert_eq!(daemon.get("/1.0/instances/v")["stateful"], false);
        assert!(!folder.join("state").exists(), "memory is used once");
    }
    assert!(!daemon.console("v").contains("boot 2"));

    // Snapshots have it too; what was taken without goes on with a boot.
    daemon.lxc(["snapshot", "v", "warm", "--stateful"]).ok();
    daemon.lxc(["snapshot", "v", "cold"]).ok();
    note(&daemon, "v", "two");
    daemon.lxc(["stop", "v", "--stateful"]).ok();
    daemon.cli(["restore", "v", "cold", "--stateful"]).fails_with("without memory");
    daemon.lxc(["restore", "v", "warm", "--stateful"]).ok();
    remembers(&daemon, "v", "one");
    daemon.lxc(["restore", "v", "cold"]).ok();
    daemon.says("v", "guest is up, boot 2");

    // Memory that is of no use is told, and there is a way out.
    daemon.lxc(["stop", "v", "--stateful"]).ok();
    let memory = folder.join("state/memory");
    std::fs::write(&memory, "no memory").unwrap_or_else(|e| panic!("{memory:?}: {e}"));
    daemon.cli(["start", "v"]).fails_with("--stateless");
    assert_eq!(daemon.status("v"), "Stopped");
    daemon.cli(["start", "v", "--stateless"]).ok();
    daemon.says("v", "guest is up, boot 3");
    assert_eq!(daemon.get("/1.0/instances/v")["stateful"], false);
    daemon.lxc(["delete", "v", "--force"]).ok();
    daemon.no_instance_left();
}

#[test]
fn machines_live_on_btrfs_too() {
    if !lab::installed("mkfs.btrfs") {
        return lab::skip("mkfs.btrfs is not installed");
    }
    let Some(daemon) = Daemon::machines() else { return };
    daemon.lxc(["storage", "create", "fast", "btrfs", "size=512MiB"]).ok();
    lab::machines::live_in(&daemon, "fast");
    daemon.lxc(["storage", "delete", "fast"]).ok();
    daemon.no_instance_left();
}
