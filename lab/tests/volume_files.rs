//! Files put into custom volumes and got out of them, beside instances that use them.

use std::fs;

use lab::{Client, Daemon};

#[test]
fn files_of_a_volume_that_is_idle_and_of_one_that_is_used() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "volume", "create", "default", "data"]).ok();
    let place = daemon.scratch().join("tree");
    let made = fs::create_dir_all(place.join("sub"));
    made.and_then(|()| fs::write(place.join("sub/note"), "kept")).unwrap_or_else(|e| panic!("{e}"));
    let (tree, out) = (place.to_string_lossy(), daemon.scratch().join("out"));
    let words =
        |words: &[&str]| daemon.run(Client::Cli, &[&["storage", "volume", "file"], words].concat());
    for used in [false, true] {
        if used {
            daemon.busybox("web");
            daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/srv"]).ok();
            assert_eq!(daemon.sh("web", "cat /srv/kept/tree/sub/note").text(), "kept");
            daemon.sh("web", "rm -r /srv/kept && ln -s /etc /srv/out && chown 5:6 /srv").ok();
        }
        words(&["push", "--recursive", "--create-dirs", &tree, "default/data/kept/"]).ok();
        let text = words(&["pull", "default/data/kept/tree/sub/note", "-"]).text();
        assert_eq!(text, "kept");
        words(&["pull", "--recursive", "default/data/kept/tree", &out.to_string_lossy()]).ok();
        let pulled = fs::read_to_string(out.join("sub/note")).unwrap_or_default();
        assert_eq!(pulled, "kept");
        fs::remove_dir_all(&out).unwrap_or_else(|e| panic!("{e}"));
        let edit = ["storage", "volume", "file", "edit", "default/data/kept/tree/sub/note"];
        daemon.run_with(Client::Cli, &edit, b"changed".to_vec()).ok();
        if used {
            let seen = "cat /srv/kept/tree/sub/note && stat -c %u:%g /srv/kept/tree/sub/note";
            assert_eq!(daemon.sh("web", seen).text(), "changed0:0");
            // A link of a hostile instance leads to nothing of the machine.
            words(&["pull", "default/data/out/passwd", "-"]).fails_with("not found");
            words(&["push", &tree, "default/data/out/new"]).fails();
        }
        words(&["delete", "default/data/kept/tree/sub/note"]).ok();
        words(&["pull", "default/data/kept/tree/sub/note", "-"]).fails_with("not found");
        words(&["push", &format!("{tree}/sub/note"), "default/data/kept/tree/sub/note"]).ok();
    }
    daemon.lxc(["delete", "web", "--force"]).ok();
}

#[test]
fn what_has_no_files_is_refused_by_its_name() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon
        .lxc(["storage", "volume", "create", "default", "disk", "--type=block", "size=8MiB"])
        .ok();
    let pull = |file: &str| {
        daemon.run(Client::Cli, &["storage", "volume", "file", "pull", file, "-"]).fails()
    };
    for (file, said) in [
        ("default/disk/a", "\"disk\" holds a block, not files"),
        ("default/none/a", "storage volume \"none\" not found"),
        ("nowhere/none/a", "not found"),
        ("default/disk", "POOL/VOLUME/PATH"),
    ] {
        let error = pull(file);
        assert!(error.contains(said), "{file}: {error}");
    }
    let path = "/internal/storage-pools/default/volumes/container/web/files?path=/etc";
    assert_eq!(daemon.request("GET", path, "").status, 501);
}
