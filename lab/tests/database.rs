//! The server's own database: damaged, backed up, gone back to.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
};

use lab::{Daemon, until};

/// As a disk does that loses sectors.
fn spoil(file: &Path) {
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", file.display()));
    }
    let size = fs::metadata(file).unwrap_or_else(|e| panic!("{file:?}: {e}")).len();
    let file = File::options().write(true).open(file).unwrap();
    file.write_all_at(&vec![0x5a; usize::try_from(size).unwrap() - 512], 512).unwrap();
}

/// When the first process of an instance was started, as the kernel counts it.
fn began(daemon: &Daemon, instance: &str) -> String {
    daemon.sh(instance, "cut -d' ' -f22 /proc/1/stat").text()
}

#[test]
fn a_damaged_file_of_it_is_made_again_and_told() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.lxc(["launch", "busybox", "web", "-c", "user.note=kept"]).ok();
    let since = began(&daemon, "web");
    let database = daemon.folder().join("database");
    for file in ["database/state.db", "database/log.db", "local.db"] {
        daemon.stop();
        spoil(&daemon.folder().join(file));
        daemon.launch();
        assert_eq!(daemon.lxc(["config", "get", "web", "user.note"]).text(), "kept");
        assert_eq!(began(&daemon, "web"), since, "it ran all the while");
    }
    let shown = daemon.cli(["database", "show"]).text();
    assert!(shown.contains("state.db") && shown.contains("nothing is lost"), "{shown}");
    assert!(shown.contains("log.db") && shown.contains("may be lost"), "{shown}");
    assert!(shown.contains("local.db") && shown.contains("microcloud recover"), "{shown}");
    let told = || daemon.lxc(["warning", "list"]).text().contains("Database was damaged");
    until("it is told", || told().then_some(()));
    // Whoever has seen to it deletes what was set aside.
    for entry in fs::read_dir(&database).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("damaged-") {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    assert!(!daemon.cli(["database", "show"]).text().contains("Warning"));
}

#[test]
fn a_backup_is_gone_back_to_while_instances_run() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["launch", "busybox", "web"]).ok();
    daemon.lxc(["profile", "create", "before"]).ok();
    let certificate = fs::read(daemon.folder().join("server.crt")).ok();
    let since = began(&daemon, "web");
    let file = daemon.scratch().join("server.tar");
    let path = file.to_string_lossy().into_owned();
    let said = daemon.cli(["database", "backup", &path]).ok().shown();
    assert!(said.contains("Backup written to"), "{said}");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "there are keys in it");
    daemon.lxc(["profile", "delete", "before"]).ok();
    daemon.lxc(["profile", "create", "after"]).ok();

    daemon.cli(["database", "restore", &path]).fails_with("say --yes");
    let other = daemon.scratch().join("other");
    fs::write(&other, "no backup").unwrap();
    let other = other.to_string_lossy().into_owned();
    daemon.cli(["database", "restore", &other, "--yes"]).fails_with("no backup of a server");
    daemon.cli(["database", "restore", "--copy", "7", "--yes"]).fails_with("copy \"7\" not found");
    assert!(daemon.lxc(["profile", "list"]).text().contains("after"), "nothing was changed");

    daemon.cli(["database", "restore", &path, "--yes"]).ok();
    let profiles = daemon.lxc(["profile", "list"]).text();
    assert!(profiles.contains("before") && !profiles.contains("after"), "{profiles}");
    assert_eq!(began(&daemon, "web"), since, "it ran all the while");
    assert_eq!(fs::read(daemon.folder().join("server.crt")).ok(), certificate);
    let set_aside = fs::read_dir(daemon.folder()).unwrap().flatten();
    let mut names = set_aside.map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert!(names.any(|name| name.starts_with("before-restore-")), "what was there is kept");
    daemon.lxc(["profile", "create", "later"]).ok();
    daemon.lxc(["delete", "web", "--force"]).ok();
}

/// As where a disk was replaced, or a machine.
#[test]
fn a_server_that_lost_its_own_begins_with_a_backup() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.lxc(["profile", "create", "mine"]).ok();
    daemon.lxc(["launch", "busybox", "web"]).ok();
    daemon.sh("web", "echo kept > /root/file && sync").ok();
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    let certificate = fs::read(daemon.folder().join("server.crt")).unwrap();
    let file = daemon.scratch().join("server.tar");
    let path = file.to_string_lossy().into_owned();
    daemon.cli(["database", "backup", &path]).ok();
    daemon.lxc(["stop", "web", "--force"]).ok();
    daemon.stop();
    fs::remove_dir_all(daemon.folder().join("database")).unwrap();
    for name in ["local.db", "server.crt", "server.key"] {
        fs::remove_file(daemon.folder().join(name)).unwrap();
    }
    let run = daemon.daemon_command().args(["--restore", &path]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    daemon.launch();
    assert!(daemon.cli(["profile", "list"]).text().contains("mine"));
    assert_eq!(fs::read(daemon.folder().join("server.crt")).unwrap(), certificate);
    // It ran when the backup was made; whether it runs now is seen.
    let _ = daemon.lxc(["stop", "web", "--force"]);
    daemon.lxc(["start", "web"]).ok();
    assert_eq!(daemon.sh("web", "cat /root/file").text(), "kept");
}
