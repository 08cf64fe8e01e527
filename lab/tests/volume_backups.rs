//! Backups of custom volumes: export and import, with both clients.

use std::{fs, path::Path};

use lab::{
    Client, Daemon,
    tarball::{evil, index},
    until,
};
use serde_json::{Value, json};

const CUSTOM: &str = "/1.0/storage-pools/default/volumes/custom";

/// A volume that an instance writes into, with all in it that a backup could lose, and a snapshot.
fn data(daemon: &Daemon) {
    daemon.busybox("web");
    let create = ["storage", "volume", "create", "default", "data"];
    daemon.run(Client::Lxc, &[&create[..], &["user.note=kept", "initial.mode=0750"]].concat()).ok();
    daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/srv"]).ok();
    let made = "mkdir -p /srv/d && cd /srv && echo then > note && chmod 4750 note \
        && chown 7:8 note && ln note d/twin && ln -s ../note d/link && mkfifo pipe \
        && dd if=/dev/zero of=holes bs=1 count=1 seek=64M 2>/dev/null && echo end >> holes \
        && touch -d '2001-02-03 04:05:06' old";
    daemon.sh("web", made).ok();
    daemon.lxc(["storage", "volume", "snapshot", "default", "data", "before"]).ok();
    daemon.sh("web", "cd /srv && echo now > note && rm d/link").ok();
}

/// What of a volume can be seen from an instance that has it.
fn look(daemon: &Daemon) -> String {
    let seen = "cd /srv && cat note && stat -c '%n %a %u %g %h %s %F' . note d/twin pipe holes old \
        && stat -c %Y old && du -k holes | cut -f1 && ls d && tail -c 4 holes";
    daemon.sh("web", seen).shown()
}

#[test]
fn an_export_comes_back_as_it_was() {
    let Some(daemon) = Daemon::ready() else { return };
    data(&daemon);
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    let before = look(&daemon);
    let shown = daemon.get(&format!("{CUSTOM}/data"));
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        let file = daemon.scratch().join(format!("{client:?}.tar.gz"));
        let file = file.to_string_lossy();
        let init = daemon.init_of("web");
        volume(&["export", "default", "data", &file]).ok();
        assert_eq!(daemon.init_of("web"), init, "it goes on");
        let left = daemon.get(&format!("{CUSTOM}/data/backups"));
        assert_eq!(left, json!([]), "the client fetched it and deleted it");

        volume(&["import", "default", &file, "twin"]).ok();
        let twin = daemon.get(&format!("{CUSTOM}/twin"));
        assert_eq!(twin["config"]["user.note"], "kept", "{twin}");
        assert_ne!(twin["config"]["volatile.uuid"], shown["config"]["volatile.uuid"]);
        let kept = daemon.get(&format!("{CUSTOM}/twin/snapshots?recursion=1"));
        assert_eq!(kept[0]["name"], "before", "{kept}");
        volume(&["detach", "default", "data", "web"]).ok();
        volume(&["attach", "default", "twin", "web", "/srv"]).ok();
        assert_eq!(look(&daemon), before);
        volume(&["detach", "default", "twin", "web"]).ok();
        volume(&["restore", "default", "twin", "before"]).ok();
        volume(&["attach", "default", "twin", "web", "/srv"]).ok();
        assert_eq!(daemon.sh("web", "cat /srv/note; readlink /srv/d/link").text(), "then\n../note");
        volume(&["detach", "default", "twin", "web"]).ok();

        volume(&["import", "second", &file]).ok();
        volume(&["import", "second", &file]).fails_with("already exists");
        volume(&["attach", "second", "data", "web", "/srv"]).ok();
        assert_eq!(look(&daemon), before);
        volume(&["detach", "second", "data", "web"]).ok();
        volume(&["delete", "second", "data"]).ok();
        volume(&["delete", "default", "twin"]).ok();
        volume(&["attach", "default", "data", "web", "/srv"]).ok();
    }
}

#[test]
fn a_disk_comes_back_as_it_was() {
    let Some(daemon) = Daemon::ready() else { return };
    let pool = daemon.folder().join("storage-pools/default/custom");
    let disk = |name: &str| pool.join(format!("default_{name}/root.img"));
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        volume(&["create", "default", "disk", "--type=block", "size=80MiB"]).ok();
        let mut bytes = vec![0; 80 << 20];
        bytes[5 << 20..6 << 20].copy_from_slice(&lab::noise(1 << 20));
        let write = |bytes: &[u8]| {
            use std::os::unix::fs::FileExt;
            let file = fs::OpenOptions::new().write(true).open(disk("disk")).unwrap();
            file.write_all_at(&bytes[5 << 20..6 << 20], 5 << 20).unwrap();
        };
        write(&bytes);
        volume(&["snapshot", "default", "disk", "before"]).ok();
        let then = bytes.clone();
        bytes[5 << 20] ^= 1;
        write(&bytes);
        let file = daemon.scratch().join(format!("{client:?}.disk"));
        let file = file.to_string_lossy();
        volume(&["export", "default", "disk", &file, "--compression", "none"]).ok();
        assert!(fs::metadata(&*file).unwrap().len() < 4 << 20, "holes are left out");
        volume(&["import", "default", &file, "twin"]).ok();
        let twin = daemon.get(&format!("{CUSTOM}/twin"));
        assert_eq!(
            (&twin["content_type"], &twin["config"]["size"]),
            (&json!("block"), &json!("80MiB"))
        );
        assert!(fs::read(disk("twin")).unwrap() == bytes);
        use std::os::unix::fs::MetadataExt;
        assert!(fs::metadata(disk("twin")).unwrap().blocks() * 512 < 4 << 20, "holes stay holes");
        volume(&["restore", "default", "twin", "before"]).ok();
        assert!(fs::read(disk("twin")).unwrap() == then);
        volume(&["delete", "default", "twin"]).ok();

        // A disk that is larger than its index says is as large as it is.
        let text = index(&fs::read(&*file).unwrap());
        let lied = text
            .replace("80MiB", "4MiB")
            .replace("- before", "")
            .replace("snapshots:", "snapshots: []");
        let lied = lied.replacen("volume_snapshots: []", "volume_snapshots:", 1);
        let mut entries = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(lied.len() as u64);
        entries.append_data(&mut header, "backup/index.yaml", lied.as_bytes()).unwrap();
        header.set_size(9 << 20);
        entries.append_data(&mut header, "backup/volume.img", &bytes[..9 << 20]).unwrap();
        let lying = daemon.scratch().join("lying");
        fs::write(&lying, entries.into_inner().unwrap()).unwrap();
        volume(&["import", "default", &lying.to_string_lossy(), "twin"]).ok();
        assert_eq!(fs::metadata(disk("twin")).unwrap().len(), 9 << 20);
        let size = volume(&["get", "default", "twin", "size"]).text();
        assert_eq!(size, (9 << 20).to_string());
        volume(&["delete", "default", "twin"]).ok();
        volume(&["delete", "default", "disk"]).ok();
    }
}

#[test]
fn backups_wait_to_be_fetched_and_go_with_their_volume() {
    let Some(daemon) = Daemon::ready() else { return };
    let backups = format!("{CUSTOM}/data/backups");
    daemon.lxc(["storage", "volume", "create", "default", "data"]).ok();
    let post = |body: Value| daemon.request("POST", &backups, &body.to_string()).status;
    assert_eq!(post(json!({ "optimized_storage": true })), 202);
    daemon.await_idle();
    let end = "2099-01-02T03:04:05Z";
    assert_eq!(post(json!({ "name": "mine", "expires_at": end, "volume_only": true })), 202);
    daemon.await_idle();
    let all = daemon.get(&format!("{backups}?recursion=1"));
    let shown = |at: usize, key: &str| all[at][key].clone();
    assert_eq!((shown(0, "name"), shown(0, "optimized_storage")), (json!("backup0"), json!(false)));
    assert_eq!((shown(1, "expires_at"), shown(1, "volume_only")), (json!(end), json!(true)));
    let urls = daemon.get(&backups);
    assert_eq!(urls[1], json!(format!("{backups}/mine")));
    let rename = |from: &str, to: &str| {
        let body = json!({ "name": to }).to_string();
        daemon.request("POST", &format!("{backups}/{from}"), &body).status
    };
    assert_eq!(rename("mine", "yours"), 202);
    daemon.await_idle();
    assert_eq!(
        (rename("yours", "backup0"), rename("yours", "../x"), rename("none", "x")),
        (409, 400, 404)
    );
    for (body, status) in [
        (json!({ "name": "backup0" }), 409),
        (json!({ "name": "a/b" }), 400),
        (json!({ "compression_algorithm": "rar" }), 400),
        (json!({ "expires_at": "2001-01-01T00:00:00Z" }), 400),
    ] {
        assert_eq!(post(body.clone()), status, "{body}");
    }
    let files = || {
        let owners = fs::read_dir(daemon.folder().join("backups/custom")).into_iter().flatten();
        let files = owners.flatten().flat_map(|one| fs::read_dir(one.path()).into_iter().flatten());
        files.count()
    };
    assert_eq!(files(), 2);
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    daemon.lxc(["storage", "volume", "rename", "default", "data", "more"]).ok();
    daemon.cli(["storage", "volume", "move", "default/more", "second/more"]).ok();
    let more = "/1.0/storage-pools/second/volumes/custom/more/backups";
    let sent = daemon.try_request("GET", &format!("{more}/yours/export"), &[], b"");
    assert!(sent.is_ok_and(|reply| reply.status == 200), "they follow");
    assert_eq!(daemon.request("DELETE", &format!("{more}/yours"), "").status, 202);
    daemon.await_idle();
    assert_eq!(files(), 1);
    daemon.lxc(["storage", "volume", "delete", "second", "more"]).ok();
    assert_eq!(files(), 0);
}

#[test]
fn a_file_that_is_no_backup_leaves_nothing() {
    let Some(daemon) = Daemon::ready() else { return };
    let place = daemon.scratch();
    let file = |name: &str| place.join(name).to_string_lossy().into_owned();
    fs::write(file("text"), "not a tarball\n").unwrap();
    daemon.lxc(["init", "busybox", "web"]).ok();
    daemon.lxc(["export", "web", &file("instance"), "--compression", "none"]).ok();
    daemon.lxc(["storage", "volume", "create", "default", "data", "user.x=yy"]).ok();
    let export = ["storage", "volume", "export", "default", "data", &file("good")];
    daemon.run(Client::Lxc, &[&export[..], &["--compression", "none"]].concat()).ok();
    daemon.lxc(["export", "web", &file("other"), "--compression", "none"]).ok();
    daemon.lxc(["storage", "volume", "delete", "default", "data"]).ok();
    let good = fs::read(file("good")).unwrap();
    fs::write(file("short"), &good[..1500]).unwrap();
    let index = index(&good);
    let twisted: [(&str, &str, &str, &str); 8] = [
        ("optimized", "optimized: false", "optimized: true", "--optimized-storage"),
        ("name", "name: data", "name: ../../etc", "volume name"),
        ("key", "user.x: yy", "no.such.key: y", "no.such.key"),
        ("foreign", "user.x: yy", "security.shared: \"true\"", "security.shared"),
        ("content", "content_type: filesystem", "content_type: tape", "tape"),
        ("snapshots", "snapshots: []", "snapshots: [ghost]", "ghost"),
        ("slash", "snapshots: []", "snapshots: [../up]", "snapshot name"),
        ("yaml", "name: data", "name: [data", "index.yaml is invalid"),
    ];
    for (name, from, to, _) in twisted {
        let text = index.replacen(from, to, 1);
        assert_ne!(text, index, "{name}");
        evil(Path::new(&file(name)), &text, &[]);
    }
    evil(Path::new(&file("dots")), &index, &[("backup/volume/../../../x", "", 0)]);
    evil(Path::new(&file("hard")), &index, &[("backup/volume/a", "etc/passwd", 1)]);
    evil(Path::new(&file("empty")), &index, &[]);
    let block = index.replacen("content_type: filesystem", "content_type: block", 1);
    evil(Path::new(&file("linked")), &block, &[("backup/volume.img", "/etc/passwd", 2)]);
    let link = [("backup/volume/out", "/", 2), ("backup/volume/out/lab-evil", "", 0)];
    evil(Path::new(&file("link")), &index, &link);
    for client in Client::BOTH {
        let volume = |words: &[&str]| daemon.run(client, &[&["storage", "volume"], words].concat());
        let import = |name: &str| volume(&["import", "default", &file(name)]);
        for (name, _, _, said) in twisted {
            let error = import(name).fails_with(said);
            assert!(error.trim().lines().count() <= 2, "{error}");
        }
        import("text").fails_with("no backup");
        import("short").fails_with("damaged");
        import("instance").fails_with("not of a volume");
        import("dots").fails_with("..");
        import("hard").fails_with("links out of its tree");
        import("empty").fails_with("backup/volume");
        import("linked").fails_with("is no file");
        daemon.run(client, &["import", &file("good")]).fails_with("not of an instance");
        volume(&["import", "default", &file("good"), "a/b"]).fails_with("volume name");
        volume(&["import", "none", &file("good")]).fails_with("none");
        import("link").ok();
        let inside =
            daemon.folder().join("storage-pools/default/custom/default_data/data/lab-evil");
        assert!(!Path::new("/lab-evil").exists() && inside.exists(), "the link leads inside");
        volume(&["delete", "default", "data"]).ok();
        daemon.await_idle();
        for folder in ["storage-pools/default/custom", "storage-pools/default/tmp", "cache"] {
            let left: Vec<_> =
                fs::read_dir(daemon.folder().join(folder)).into_iter().flatten().collect();
            assert!(left.is_empty(), "{client:?} {folder}: {left:?}");
        }
    }
}

/// The image of a disc, as far as anybody looks.
fn disc() -> Vec<u8> {
    let mut disc = lab::noise(300 << 10);
    disc[32769..32774].copy_from_slice(b"CD001");
    disc
}

fn import_as(daemon: &Daemon, file: &Path, name: &str, kind: &str) -> lab::Run {
    let file = file.to_string_lossy();
    daemon
        .run(Client::Cli, &["storage", "volume", "import", "default", &file, name, "--type", kind])
}

#[test]
fn an_iso_is_kept_as_it_is_and_given_to_no_container() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let file = daemon.scratch().join("debian.iso");
    fs::write(&file, disc()).unwrap();
    let volume = |daemon: &Daemon, words: &[&str]| {
        daemon.run(Client::Cli, &[&["storage", "volume"], words].concat())
    };
    import_as(&daemon, &file, "disc", "tape").fails_with("backup, iso, tar, qcow2");
    let text = daemon.scratch().join("text.iso");
    fs::write(&text, "no disc").unwrap();
    volume(&daemon, &["import", "default", &text.to_string_lossy(), "disc"]).fails_with("no ISO");
    volume(&daemon, &["import", "default", &file.to_string_lossy()]).fails_with("volume name");
    volume(&daemon, &["import", "default", &file.to_string_lossy(), "disc"]).ok();
    let shown = daemon.get(&format!("{CUSTOM}/disc"));
    assert_eq!((&shown["content_type"], &shown["config"]["size"]), (&json!("iso"), &Value::Null));
    assert!(daemon.lxc(["storage", "volume", "list", "default"]).text().contains("iso"));
    let kept = |name: &str| {
        let pool = daemon.folder().join("storage-pools/default/custom");
        fs::read(pool.join(format!("default_{name}/root.img"))).unwrap() == disc()
    };
    assert!(kept("disc"));
    volume(&daemon, &["set", "default", "disc", "size=1GiB"]).fails_with("size means nothing");
    volume(&daemon, &["snapshot", "default", "disc"]).fails_with("never changes");
    volume(&daemon, &["create", "default", "other", "--type=iso"]).fails_with("importing the file");
    daemon.busybox("web");
    let attach = ["storage", "volume", "attach", "default", "disc", "web", "/mnt"];
    for client in Client::BOTH {
        daemon.run(client, &attach).fails_with("content type iso");
    }
    volume(&daemon, &["copy", "default/disc", "default/twin"]).ok();
    let exported = daemon.scratch().join("exported").to_string_lossy().into_owned();
    for client in Client::BOTH {
        daemon.run(client, &["storage", "volume", "export", "default", "disc", &exported]).ok();
        daemon.run(client, &["storage", "volume", "import", "default", &exported, "again"]).ok();
        assert_eq!(daemon.get(&format!("{CUSTOM}/again"))["content_type"], "iso");
        assert!(kept("again") && kept("twin"));
        daemon.run(client, &["storage", "volume", "delete", "default", "again"]).ok();
    }

    // It is known as an ISO even where no record names it.
    daemon.lxc(["delete", "web", "--force"]).ok();
    let folder = daemon.folder();
    let record = folder.join("storage-pools/default/recovery.json");
    until("it is recorded", || {
        let text = fs::read_to_string(&record).unwrap_or_default();
        (text.contains("\"disc\"") && !text.contains("\"web\"")).then_some(())
    });
    daemon.kill9();
    let mut kept: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    kept["volumes"] = json!([]);
    fs::write(&record, kept.to_string()).unwrap();
    fs::remove_dir_all(folder.join("database")).unwrap();
    daemon.launch();
    daemon.cli(["recover", "--yes"]).ok();
    assert_eq!(daemon.get(&format!("{CUSTOM}/disc"))["content_type"], "iso");
}

#[test]
fn a_tarball_of_files_becomes_a_volume() {
    let Some(daemon) = Daemon::ready() else { return };
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o640);
    header.set_uid(33);
    header.set_gid(44);
    header.set_size(4);
    tar.append_data(&mut header, "sub/note", &b"text"[..]).unwrap();
    let file = daemon.scratch().join("files.tar");
    fs::write(&file, tar.into_inner().unwrap()).unwrap();
    import_as(&daemon, &file, "data", "tar").ok();
    daemon.busybox("web");
    daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/srv"]).ok();
    let seen = daemon.sh("web", "cat /srv/sub/note; stat -c ' %a %u %g' /srv/sub/note").text();
    assert_eq!(seen, "text 640 33 44");
    let text = daemon.scratch().join("text");
    fs::write(&text, "no tarball").unwrap();
    import_as(&daemon, &text, "more", "tar").fails();
    import_as(&daemon, &file, "data", "tar").fails_with("already exists");
}

#[test]
fn a_qcow2_becomes_a_disk() {
    let Some(daemon) = Daemon::ready() else { return };
    if !lab::installed("qemu-img") {
        return lab::skip("not installed: qemu-img");
    }
    let place = |name: &str| daemon.scratch().join(name);
    let mut raw = vec![0; 8 << 20];
    raw[3 << 20..4 << 20].copy_from_slice(&lab::noise(1 << 20));
    fs::write(place("raw"), &raw).unwrap();
    let image = |words: &[&str]| lab::host(&[&["qemu-img"], words].concat()).ok();
    let text = |name: &str| place(name).to_string_lossy().into_owned();
    image(&["convert", "-f", "raw", "-O", "qcow2", "-c", &text("raw"), &text("good")]);
    let backing = ["create", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", &text("bad")];
    image(&backing);
    import_as(&daemon, &place("bad"), "disk", "qcow2").fails_with("stands on another file");
    import_as(&daemon, &place("raw"), "disk", "qcow2").fails_with("no qcow2");
    import_as(&daemon, &place("good"), "disk", "qcow2").ok();
    let shown = daemon.get(&format!("{CUSTOM}/disk"));
    assert_eq!(
        (&shown["content_type"], &shown["config"]["size"]),
        (&json!("block"), &json!("8388608"))
    );
    let disk = daemon.folder().join("storage-pools/default/custom/default_disk/root.img");
    assert!(fs::read(disk).unwrap() == raw);
}
