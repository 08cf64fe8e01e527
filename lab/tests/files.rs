//! Files pushed into instances and pulled out of them, with both clients.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use lab::{Client, Daemon, noise};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Everything a user does, while it runs and while it is stopped.
fn a_round(daemon: &Daemon, client: Client, name: &str) {
    let here = tempfile::tempdir().unwrap();
    let at = |file: &str| text(&here.path().join(file));
    let inside = |path: &str| format!("{name}{path}");
    let run = |words: &[&str]| daemon.run(client, words);
    fs::write(at("note"), "hello").unwrap();
    run(&[
        "file",
        "push",
        &at("note"),
        &inside("/root/note"),
        "--mode",
        "0640",
        "--uid",
        "12",
        "--gid",
        "34",
    ])
    .ok();
    run(&["file", "pull", &inside("/root/note"), &at("back")]).ok();
    assert_eq!(fs::read_to_string(at("back")).unwrap(), "hello");
    assert_eq!(fs::metadata(at("back")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(run(&["file", "pull", &inside("/root/note"), "-"]).shown(), "hello");
    fs::write(at("note"), "new").unwrap();
    run(&["file", "push", &at("note"), &inside("/root/")]).ok();
    assert_eq!(run(&["file", "pull", &inside("/root/note"), "-"]).shown(), "new");

    fs::create_dir_all(at("tree/sub/empty")).unwrap();
    fs::write(at("tree/one"), "1").unwrap();
    fs::write(at("tree/sub/two"), noise(300_000)).unwrap();
    fs::set_permissions(at("tree/one"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("sub/two", at("tree/link")).unwrap();
    run(&["file", "push", "-r", "-p", &at("tree"), &inside("/srv/deep/")]).ok();
    fs::create_dir(at("out")).unwrap();
    run(&["file", "pull", "-r", &inside("/srv/deep/tree"), &at("out")]).ok();
    assert_eq!(fs::read_to_string(at("out/tree/one")).unwrap(), "1");
    assert_eq!(fs::metadata(at("out/tree/one")).unwrap().mode() & 0o777, 0o755);
    assert_eq!(fs::read(at("out/tree/sub/two")).unwrap(), noise(300_000));
    assert_eq!(fs::read_link(at("out/tree/link")).unwrap(), Path::new("sub/two"));
    assert!(fs::metadata(at("out/tree/sub/empty")).unwrap().is_dir());

    run(&["file", "delete", &inside("/srv/deep/tree/one")]).ok();
    run(&["file", "pull", &inside("/srv/deep/tree/one"), &at("gone")]).fails_with("not found");
    run(&["file", "delete", &inside("/srv/deep/tree")]).fails_with("not empty");
    run(&["file", "push", &at("note"), &inside("/no/such/folder/note")]).fails_with("not found");
    let big = noise(100 << 20);
    fs::write(at("big"), &big).unwrap();
    run(&["file", "push", &at("big"), &inside("/root/big")]).ok();
    run(&["file", "pull", &inside("/root/big"), &at("big-back")]).ok();
    assert!(fs::read(at("big-back")).unwrap() == big, "100 MB came back changed");
    run(&["file", "delete", &inside("/root/big")]).ok();
    run(&["file", "delete", &inside("/root/note")]).ok();
    for file in ["two", "empty"] {
        run(&["file", "delete", &inside(&format!("/srv/deep/tree/sub/{file}"))]).ok();
    }
    for file in ["/sub", "/link", ""] {
        run(&["file", "delete", &inside(&format!("/srv/deep/tree{file}"))]).ok();
    }
}

#[test]
fn files_of_one_that_runs() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("web");
    for client in Client::BOTH {
        a_round(&daemon, client, "web");
    }
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("x"), "x").unwrap();
    let from = text(&here.path().join("x"));
    daemon
        .lxc(["file", "push", &from, "web/root/x", "--uid", "5", "--gid", "6", "--mode", "600"])
        .ok();
    assert_eq!(daemon.sh("web", "stat -c '%u %g %a' /root/x; ls -A /root").text(), "5 6 600\nx");
    daemon
        .sh("web", "mkdir -p /mnt/t && mount -t tmpfs none /mnt/t && echo inside > /mnt/t/y")
        .ok();
    assert_eq!(daemon.lxc(["file", "pull", "web/mnt/t/y", "-"]).text(), "inside");
    daemon.lxc(["pause", "web"]).ok();
    assert_eq!(daemon.lxc(["file", "pull", "web/root/x", "-"]).text(), "x");
}

#[test]
fn files_of_one_that_is_stopped() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("web");
    daemon.lxc(["stop", "web", "--force"]).ok();
    for client in Client::BOTH {
        a_round(&daemon, client, "web");
    }
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("x"), "x").unwrap();
    let from = text(&here.path().join("x"));
    daemon
        .lxc(["file", "push", &from, "web/root/x", "--uid", "5", "--gid", "6", "--mode", "600"])
        .ok();
    daemon.lxc(["start", "web"]).ok();
    assert_eq!(daemon.sh("web", "stat -c '%u %g %a' /root/x").text(), "5 6 600");
}

#[test]
fn a_hostile_container_leads_nobody_out() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("web");
    let here = tempfile::tempdir().unwrap();
    let host = here.path();
    fs::write(host.join("secret"), "of the host").unwrap();
    fs::write(host.join("new"), "new").unwrap();
    let hostile = format!(
        "ln -s {0} /root/way; ln -s {0}/secret /root/secret; ln -s ../../../../../../.. /root/up; \
         mkfifo /root/pipe; ln -s /proc/1/root /root/proc; ln -s /proc/sys/kernel/hostname /root/name; \
         rm -rf /proc2; ln -s loop /root/loop",
        text(host)
    );
    daemon.sh("web", &hostile).ok();
    let new = text(&host.join("new"));
    let round = || {
        for path in ["way/secret", "loop/x", "pipe"] {
            let pulled = daemon.lxc(["file", "pull", &format!("web/root/{path}"), "-"]);
            assert!(!pulled.shown().contains("of the host"), "{pulled}");
            pulled.fails();
            daemon.lxc(["file", "push", &new, &format!("web/root/{path}")]).fails();
        }
        let up = format!("web/root/up{}/secret", text(host));
        daemon.lxc(["file", "pull", &up, "-"]).fails();
        daemon.lxc(["file", "push", &new, "web/root/secret"]).fails();
        daemon.lxc(["file", "delete", "web/root/way/secret"]).fails();
        assert_eq!(fs::read_to_string(host.join("secret")).unwrap(), "of the host");
        assert_eq!(fs::read_dir(host).unwrap().count(), 2, "something was made outside");
    };
    round();
    daemon.lxc(["stop", "web", "--force"]).ok();
    round();
}
