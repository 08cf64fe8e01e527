//! Backups of instances: export and import, with both clients.

use std::{fs, path::Path};

use lab::{
    Client, Daemon,
    tarball::{evil, index},
};
use serde_json::{Value, json};

/// An instance that runs, with all in its root that a backup could lose, and a snapshot.
fn web(daemon: &Daemon) {
    daemon.busybox("web");
    let made = "mkdir -p /srv/d && cd /srv && echo then > note && chmod 4750 note \
        && chown 7:8 note && ln note d/twin && ln -s ../note d/link && mkfifo pipe \
        && dd if=/dev/zero of=holes bs=1 count=1 seek=64M 2>/dev/null && echo end >> holes \
        && touch -d '2001-02-03 04:05:06' old";
    daemon.sh("web", made).ok();
    daemon.lxc(["config", "set", "web", "user.note=then"]).ok();
    daemon.lxc(["snapshot", "web", "before"]).ok();
    daemon.sh("web", "cd /srv && echo now > note && rm d/link && rm -r /tmp; true").ok();
    daemon.lxc(["config", "set", "web", "user.note=now"]).ok();
}

/// What of it can be seen.
fn look(daemon: &Daemon, name: &str) -> String {
    let seen = "cd /srv && cat note && stat -c '%n %a %u %g %h %s %F' note d/twin pipe holes old \
        && stat -c %Y old && du -k holes | cut -f1 && ls d && tail -c 4 holes && ls -d /tmp";
    daemon.sh(name, seen).shown()
}

fn config(daemon: &Daemon, name: &str, key: &str) -> Option<String> {
    daemon.get(&format!("/1.0/instances/{name}"))["config"][key].as_str().map(str::to_owned)
}

fn backups(daemon: &Daemon, name: &str) -> Vec<Value> {
    let all = daemon.get(&format!("/1.0/instances/{name}/backups?recursion=1"));
    all.as_array().cloned().unwrap_or_default()
}

#[test]
fn an_export_comes_back_as_it_was() {
    let Some(daemon) = Daemon::ready() else { return };
    web(&daemon);
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    let before = look(&daemon, "web");
    let hwaddr = config(&daemon, "web", "volatile.eth0.hwaddr");
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        let file = daemon.scratch().join(format!("{client:?}.tar.gz"));
        let file = file.to_string_lossy();
        let init = daemon.init_of("web");
        run(&["export", "web", &file]).ok();
        assert_eq!(daemon.init_of("web"), init, "it goes on");
        assert!(backups(&daemon, "web").is_empty(), "the client fetched it and deleted it");

        run(&["import", &file, "twin"]).ok();
        run(&["start", "twin"]).ok();
        assert_eq!(look(&daemon, "twin"), before);
        assert_ne!(config(&daemon, "twin", "volatile.eth0.hwaddr"), hwaddr, "web still has it");
        run(&["restore", "twin", "before"]).ok();
        let then = daemon.sh("twin", "cat /srv/note; readlink /srv/d/link; ls -d /tmp").text();
        assert_eq!(then, "then\n../note\n/tmp");
        assert_eq!(config(&daemon, "twin", "user.note").as_deref(), Some("then"));

        run(&["delete", "web", "twin", "--force"]).ok();
        run(&["import", &file, "--storage", "second"]).ok();
        let expanded = daemon.get("/1.0/instances/web")["expanded_devices"].clone();
        assert_eq!(expanded["root"]["pool"], "second");
        assert_eq!(config(&daemon, "web", "volatile.eth0.hwaddr"), hwaddr, "its own again");
        run(&["import", &file]).fails_with("already exists");
        run(&["start", "web"]).ok();
        assert_eq!(look(&daemon, "web"), before);
        run(&["export", "web", &file, "--instance-only", "--compression", "zstd -3"]).ok();
        assert!(fs::read(&*file).is_ok_and(|bytes| bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])));
        run(&["import", &file, "bare", "--storage", "default"]).ok();
        let bare = daemon.get("/1.0/instances/bare/snapshots");
        assert_eq!(bare.as_array().map(Vec::len), Some(0));
        run(&["delete", "bare"]).ok();
    }
    daemon.lxc(["delete", "web", "--force"]).ok();
    daemon.lxc(["storage", "delete", "second"]).ok();
}

#[test]
fn a_backup_waits_under_its_name_and_goes_with_its_instance() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["init", "busybox", "web"]).ok();
    let make = |body: Value| {
        let reply = daemon.request("POST", "/1.0/instances/web/backups", &body.to_string());
        let operation = reply.body["operation"].as_str().unwrap_or_default().to_owned();
        daemon.get(&format!("{operation}/wait"))
    };
    let done = make(json!({ "compression_algorithm": "none", "optimized_storage": true }));
    assert_eq!(done["resources"]["backups"], json!(["/1.0/backups/backup0"]));
    make(json!({ "name": "mine", "instance_only": true, "expires_at": "2099-01-02T03:04:05Z" }));
    let all = backups(&daemon, "web");
    let names: Vec<_> = all.iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["backup0", "mine"]);
    assert_eq!(all[0]["optimized_storage"], false, "a plain tarball is what there is");
    assert_eq!(all[1]["expires_at"], "2099-01-02T03:04:05Z");
    let path = "/1.0/instances/web/backups";
    let rename = |from: &str, to: &str| {
        let body = json!({ "name": to }).to_string();
        daemon.request("POST", &format!("{path}/{from}"), &body)
    };
    assert_eq!(rename("mine", "yours").status, 202);
    daemon.await_idle();
    assert_eq!(rename("yours", "backup0").status, 409);
    assert_eq!(rename("yours", "../x").status, 400);
    assert_eq!(rename("none", "x").status, 404);
    daemon.lxc(["rename", "web", "www"]).ok();
    let sent = daemon.try_request("GET", "/1.0/instances/www/backups/backup0/export", &[], b"");
    assert!(sent.is_ok_and(|reply| reply.status == 200));
    let full = daemon.get("/1.0/instances/www?recursion=1");
    assert_eq!(full["backups"].as_array().map(Vec::len), Some(2), "{full}");
    assert_eq!(daemon.request("DELETE", "/1.0/instances/www/backups/yours", "").status, 202);
    daemon.await_idle();
    let folder = daemon.folder().join("backups/instances");
    let files = |name: &str| fs::read_dir(folder.join(name)).map_or(0, Iterator::count);
    assert_eq!((files("default_www"), files("default_web")), (1, 0));
    for (body, status) in [
        (json!({ "name": "backup0" }), 409),
        (json!({ "name": "a/b" }), 400),
        (json!({ "compression_algorithm": "rar" }), 400),
        (json!({ "compression_algorithm": "bzip2" }), 400),
        (json!({ "expires_at": "2001-01-01T00:00:00Z" }), 400),
    ] {
        let reply = daemon.request("POST", "/1.0/instances/www/backups", &body.to_string());
        assert_eq!(reply.status, status, "{body}");
    }
    daemon.lxc(["delete", "www"]).ok();
    assert!(fs::read_dir(&folder).is_ok_and(|mut left| left.next().is_none()), "it went along");
}

#[test]
fn a_backup_that_is_none_leaves_nothing() {
    let Some(daemon) = Daemon::ready() else { return };
    let place = daemon.scratch();
    let file = |name: &str| place.join(name).to_string_lossy().into_owned();
    fs::write(file("text"), "not a tarball\n").unwrap_or_default();
    daemon.lxc(["init", "busybox", "web"]).ok();
    daemon.lxc(["export", "web", &file("good"), "--compression", "none"]).ok();
    daemon.lxc(["delete", "web"]).ok();
    let good = fs::read(file("good")).unwrap_or_default();
    fs::write(file("short"), &good[..good.len() / 2]).unwrap_or_default();
    daemon.cli(["image", "export", "busybox", &file("image")]).ok();
    let index = index(&good);
    let twisted: [(&str, &str, &str, &str); 8] = [
        ("optimized", "optimized: false", "optimized: true", "--optimized-storage"),
        ("machine", "type: container", "type: virtual-machine", "virtual-machine.img"),
        ("name", "name: web", "name: ../../etc", "instance name"),
        ("key", "user.x: y", "no.such.key: y", "no.such.key"),
        ("profile", "- default", "- absent", "absent"),
        ("snapshots", "snapshots: []", "snapshots: [ghost]", "ghost"),
        ("slash", "snapshots: []", "snapshots: [../up]", "snapshot name"),
        ("yaml", "name: web", "name: [web", "index.yaml is invalid"),
    ];
    for (name, from, to, _) in twisted {
        let mut text = index.replacen(from, to, 1);
        if name == "key" {
            text = index.replacen("    config:\n", "    config:\n      no.such.key: y\n", 1);
        }
        assert_ne!(text, index, "{name}");
        evil(Path::new(&file(name)), &text, &[]);
    }
    evil(Path::new(&file("dots")), &index, &[("backup/container/rootfs/../../../../x", "", 0)]);
    evil(
        Path::new(&file("link")),
        &index,
        &[("backup/container/rootfs/out", "/", 2), ("backup/container/rootfs/out/lab-evil", "", 0)],
    );
    evil(Path::new(&file("hard")), &index, &[("backup/container/rootfs/a", "etc/passwd", 1)]);
    evil(Path::new(&file("rootless")), &index, &[("backup/container/x", "", 0)]);
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        for (name, _, _, said) in twisted {
            let error = run(&["import", &file(name)]).fails_with(said);
            assert!(error.trim().lines().count() <= 2, "{error}");
        }
        run(&["import", &file("text")]).fails_with("no backup");
        run(&["import", &file("image")]).fails_with("does not begin with backup/index.yaml");
        run(&["import", &file("short")]).fails_with("damaged");
        run(&["import", &file("dots")]).fails_with("..");
        run(&["import", &file("hard")]).fails_with("links out of its tree");
        run(&["import", &file("rootless")]).fails_with("rootfs");
        run(&["import", &file("good"), "a_b"]).fails_with("instance name");
        run(&["import", &file("good"), "--storage", "none"]).fails_with("none");
        run(&["import", &file("link")]).ok();
        let inside = daemon.folder().join("storage-pools/default/containers/web/rootfs/lab-evil");
        assert!(!Path::new("/lab-evil").exists() && inside.exists(), "the link leads inside");
        run(&["delete", "web"]).ok();
        daemon.await_idle();
        assert!(daemon.urls("instances").is_empty());
        for folder in ["storage-pools/default/containers", "cache"] {
            let left: Vec<_> =
                fs::read_dir(daemon.folder().join(folder)).into_iter().flatten().collect();
            assert!(left.is_empty(), "{client:?} {folder}: {left:?}");
        }
    }
}
