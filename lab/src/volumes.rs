//! What every driver's custom volumes must do through a whole server: an ISO, a disk of a qcow2, copies and refreshes
//! into a pool of folders, where a disk can be read as a file, and back.

use std::fs;
use std::path::PathBuf;

use crate::{Client, Daemon, Run, host};

/// Bytes that the disks of these tests have.
const DISK: usize = 8 << 20;

fn volume(daemon: &Daemon, words: &[&str]) -> Run {
    daemon.run(Client::Cli, &[&["storage", "volume"], words].concat())
}

/// What a volume is in the pool of folders.
fn in_folders(daemon: &Daemon, name: &str) -> PathBuf {
    daemon.folder().join(format!("storage-pools/default/custom/default_{name}/root.img"))
}

/// An ISO comes into a pool and is the same wherever it is copied.
pub fn an_iso_is_kept(daemon: &Daemon, pool: &str) {
    let mut disc = crate::noise(300 << 10);
    disc[32769..32774].copy_from_slice(b"CD001");
    let file = daemon.scratch().join("disc.iso");
    fs::write(&file, &disc).expect("the scratch folder is ours");
    volume(daemon, &["import", pool, &file.to_string_lossy(), "disc"]).ok();
    let address = format!("/1.0/storage-pools/{pool}/volumes/custom/disc");
    assert_eq!(daemon.get(&address)["content_type"], "iso");
    volume(daemon, &["copy", &format!("{pool}/disc"), &format!("{pool}/twin")]).ok();
    volume(daemon, &["copy", &format!("{pool}/twin"), "default/disc"]).ok();
    let kept = fs::read(in_folders(daemon, "disc")).expect("it was copied there");
    // A device is a whole number of its blocks.
    assert!(kept.starts_with(&disc) && kept[disc.len()..].iter().all(|byte| *byte == 0));
    for name in [&format!("{pool}/disc")[..], &format!("{pool}/twin"), "default/disc"] {
        let (pool, name) = name.split_once('/').expect("they have a pool");
        volume(daemon, &["delete", pool, name]).ok();
    }
}

/// A qcow2 becomes a disk, copies of which follow it.
pub fn a_qcow2_becomes_a_disk(daemon: &Daemon, pool: &str) {
    if !crate::installed("qemu-img") {
        return crate::skip("not installed: qemu-img");
    }
    let place = |name: &str| daemon.scratch().join(name);
    let text = |name: &str| place(name).to_string_lossy().into_owned();
    let mut raw = vec![0; DISK];
    for (at, file) in [(3 << 20, "first"), (5 << 20, "second")] {
        raw[at..at + (1 << 20)].copy_from_slice(&crate::noise(1 << 20));
        fs::write(place("raw"), &raw).expect("the scratch folder is ours");
        host(&["qemu-img", "convert", "-f", "raw", "-O", "qcow2", &text("raw"), &text(file)]).ok();
        let import = ["import", pool, &text(file), file, "--type", "qcow2"];
        volume(daemon, &import).ok();
        // Its second state is another disk, of which the copy becomes one.
        let copy = ["copy", &format!("{pool}/{file}"), "default/disk", "--refresh"];
        volume(daemon, &copy).ok();
        let kept = fs::read(in_folders(daemon, "disk")).expect("it was copied there");
        assert!(kept.len() == DISK && kept == raw, "{file}: {} bytes", kept.len());
    }
    volume(daemon, &["copy", "default/disk", &format!("{pool}/first"), "--refresh"]).ok();
    volume(daemon, &["delete", "default", "disk"]).ok();
    volume(daemon, &["copy", &format!("{pool}/first"), "default/disk"]).ok();
    assert!(fs::read(in_folders(daemon, "disk")).expect("it was copied there") == raw);
    for name in ["first", "second"] {
        volume(daemon, &["delete", pool, name]).ok();
    }
    volume(daemon, &["delete", "default", "disk"]).ok();
}

/// A copy of files follows its source with its snapshots, in its own pool, in another and back.
pub fn a_refresh_follows(daemon: &Daemon, pool: &str) {
    let source = format!("{pool}/data");
    let put = |text: &str| {
        let file = daemon.scratch().join("note");
        fs::write(&file, text).expect("the scratch folder is ours");
        volume(daemon, &["file", "push", &file.to_string_lossy(), &format!("{source}/note")]).ok();
    };
    let has = |at: &str| volume(daemon, &["file", "pull", &format!("{at}/note"), "-"]).ok().text();
    volume(daemon, &["create", pool, "data", "size=64MiB"]).ok();
    let (twin, back) = (format!("{pool}/twin"), format!("{pool}/back"));
    for (text, snapshot) in [("one", "a"), ("two", "b")] {
        put(text);
        volume(daemon, &["snapshot", pool, "data", snapshot]).ok();
        put(&format!("{text} and more"));
        for (from, to) in [(&*source, &*twin), (&source, "default/data"), ("default/data", &back)] {
            volume(daemon, &["copy", from, to, "--refresh"]).ok();
            assert_eq!(has(to), format!("{text} and more"), "{from} to {to}");
        }
    }
    for (pool, name) in [(pool, "twin"), (pool, "back"), ("default", "data"), (pool, "data")] {
        volume(daemon, &["restore", pool, name, "a"]).ok();
        assert_eq!(has(&format!("{pool}/{name}")), "one", "{pool}/{name}");
        volume(daemon, &["delete", pool, name]).ok();
    }
}
