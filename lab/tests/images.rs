//! Images in LXD's formats: whole and split, in every packing, there and back, deleted while in use.

use std::{fs, path::Path};

use lab::{
    Client, Daemon,
    images::{PACKINGS, pack, tree},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What LXD calls an image: the SHA-256 of its file, or of its two files one after the other.
fn fingerprint(files: &[&Path]) -> String {
    let mut digest = Sha256::new();
    for file in files {
        digest.update(fs::read(file).unwrap_or_else(|e| panic!("{file:?}: {e}")));
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Launches an image, looks into the instance and deletes both.
fn try_out(daemon: &Daemon, image: &str) {
    daemon.lxc(["launch", image, "x"]).ok();
    assert_eq!(daemon.lxc(["exec", "x", "--", "hostname"]).text(), "x", "{image}");
    daemon.sh("x", "test -L /sbin/init && test -d /proc/1 && test -k /tmp").ok();
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["image", "delete", image]).ok();
}

#[test]
fn whole_images_in_every_packing() {
    let Some(daemon) = Daemon::ready() else { return };
    let (tree, scratch) = (tree(&daemon), daemon.scratch());
    for (number, (ending, option)) in PACKINGS.iter().enumerate() {
        let file = scratch.join(format!("image.{ending}"));
        pack(&tree, &["metadata.yaml", "rootfs"], option, &file);
        let client = Client::BOTH[number % 2];
        let path = file.to_string_lossy();
        daemon.run(client, &["image", "import", &path, "--alias", "packed"]).ok();
        let image = daemon.get("/1.0/images/aliases/packed");
        assert_eq!(image["target"], fingerprint(&[&file]), "{ending}");
        try_out(&daemon, "packed");
    }
}

#[test]
fn split_images_with_a_tar_file_and_with_squashfs() {
    let Some(daemon) = Daemon::ready() else { return };
    let (tree, scratch) = (tree(&daemon), daemon.scratch());
    let (metadata, rootfs) = (scratch.join("meta.tar.xz"), tree.join("rootfs"));
    pack(&tree, &["metadata.yaml"], "--xz", &metadata);
    let mut roots = vec![scratch.join("rootfs.tar.gz")];
    pack(&rootfs, &["."], "--gzip", &roots[0]);
    if lab::installed("mksquashfs") {
        for packing in ["gzip", "xz", "zstd"] {
            let file = scratch.join(format!("{packing}.squashfs"));
            let (from, to) = (rootfs.to_string_lossy(), file.to_string_lossy());
            lab::host(&["mksquashfs", &from, &to, "-comp", packing, "-quiet", "-no-progress"]).ok();
            roots.push(file);
        }
    }
    for (number, root) in roots.iter().enumerate() {
        let client = Client::BOTH[number % 2];
        let (metadata_path, root_path) = (metadata.to_string_lossy(), root.to_string_lossy());
        let words = ["image", "import", &metadata_path, &root_path, "--alias", "split"];
        daemon.run(client, &words).ok();
        let image = daemon.get("/1.0/images/aliases/split");
        assert_eq!(image["target"], fingerprint(&[&metadata, root]), "{root:?}");
        try_out(&daemon, "split");
    }
}

#[test]
fn what_is_exported_is_what_was_imported() {
    let Some(daemon) = Daemon::ready() else { return };
    let (tree, scratch) = (tree(&daemon), daemon.scratch());
    let (whole, metadata) = (scratch.join("whole.tar.gz"), scratch.join("meta.tar.gz"));
    let root = scratch.join("rootfs.tar.gz");
    pack(&tree, &["metadata.yaml", "rootfs"], "--gzip", &whole);
    pack(&tree, &["metadata.yaml"], "--gzip", &metadata);
    pack(&tree.join("rootfs"), &["."], "--gzip", &root);
    let [whole_path, metadata_path, root_path] =
        [&whole, &metadata, &root].map(|path| path.to_string_lossy().into_owned());
    daemon.lxc(["image", "import", &whole_path, "--alias", "whole"]).ok();
    daemon.lxc(["image", "import", &metadata_path, &root_path, "--alias", "split"]).ok();
    for (alias, files) in [("whole", vec![&whole]), ("split", vec![&metadata, &root])] {
        let folder = scratch.join(alias);
        fs::create_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
        daemon.lxc(["image", "export", alias, &format!("{}/", folder.display())]).ok();
        let bytes = |path: &Path| fs::read(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let mut back: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{folder:?}: {e}"))
            .filter_map(|entry| Some(bytes(&entry.ok()?.path())))
            .collect();
        let mut sent: Vec<_> = files.iter().map(|path| bytes(path)).collect();
        back.sort();
        sent.sort();
        assert!(back == sent, "{alias}: other bytes came back");
    }
}

#[test]
fn lists_properties_and_aliases() {
    let Some(daemon) = Daemon::ready() else { return };
    let list = daemon.lxc(["image", "list"]).text();
    assert!(list.contains("| busybox ") && list.contains("| CONTAINER "), "{list}");
    let print = daemon.get("/1.0/images/aliases/busybox")["target"].clone();
    let print = print.as_str().unwrap_or_default();
    assert!(list.contains(&print[..12]), "{list}");
    let info = daemon.lxc(["image", "info", "busybox"]).text();
    assert!(info.contains(print) && info.contains("- busybox"), "{info}");
    daemon.lxc(["image", "alias", "create", "tiny", print]).ok();
    daemon.lxc(["image", "alias", "rename", "tiny", "small/one"]).ok();
    assert!(daemon.lxc(["image", "alias", "list"]).text().contains("small/one"));
    daemon.lxc(["launch", "small/one", "x"]).ok();
    daemon.lxc(["image", "alias", "delete", "small/one"]).ok();
    daemon.lxc(["image", "set-property", "busybox", "colour", "blue"]).ok();
    assert_eq!(daemon.cli(["image", "get-property", "busybox", "colour"]).text(), "blue");
    let show = daemon.lxc(["image", "show", "busybox"]).text();
    let edited = show.replace("colour: blue", "colour: red");
    daemon.run_with(Client::Lxc, &["image", "edit", "busybox"], edited.into_bytes()).ok();
    assert_eq!(daemon.lxc(["image", "get-property", "busybox", "colour"]).text(), "red");
    // By the beginning of its fingerprint.
    daemon.lxc(["launch", &print[..12], "y"]).ok();
    let json = daemon.cli(["image", "list", "--format", "json"]).text();
    let json: Value = serde_json::from_str(&json).unwrap_or_default();
    assert_eq!(json[0]["fingerprint"], print);
}

#[test]
fn an_image_may_go_while_an_instance_uses_it() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.lxc(["image", "delete", "busybox"]).ok();
    assert_eq!(daemon.urls("images"), Vec::<String>::new());
    assert_eq!(daemon.sh("x", "hostname").text(), "x");
    daemon.cli(["restart", "x", "--force"]).ok();
    daemon.sh("x", "test -e /etc/os-release").ok();
    daemon.lxc(["launch", "busybox", "y"]).fails_with("not found");
    daemon.cli(["delete", "x", "--force"]).ok();
    daemon.no_instance_left();
    let images = daemon.folder().join("storage-pools/default/images");
    lab::until("the last instance takes the image's volume along", || {
        (fs::read_dir(&images).ok()?.count() == 0).then_some(())
    });
}

#[test]
fn the_same_image_twice_is_refused_and_kept() {
    let Some(daemon) = Daemon::ready() else { return };
    let file = daemon.scratch().join("same.image");
    let path = file.to_string_lossy().into_owned();
    daemon.cli(["image", "export", "busybox", &path]).ok();
    daemon.lxc(["image", "import", &path]).fails_with("already exists");
    daemon.busybox("x");
    daemon.lxc(["image", "delete", "busybox"]).ok();
    daemon.lxc(["image", "import", &path, "--alias", "busybox"]).ok();
    daemon.busybox("y");
    daemon.sh("x", "true").ok();
}
