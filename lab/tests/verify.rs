//! `storage verify`: what is damaged or missing is found and named.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use lab::{Daemon, host, installed, skip, within};

/// Something that stands once on a disk.
const PHOTO: &[u8] = b"a photo of the summer of ninety-six";

/// A file that begins with it, on the disk and not only in memory.
fn photo(path: &Path) {
    let mut bytes = PHOTO.to_vec();
    bytes.resize(300_000, b'.');
    let written = fs::write(path, bytes).and_then(|()| File::open(path)?.sync_all());
    written.unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
    host(&["sync", "--file-system", &path.to_string_lossy()]).ok();
}

/// Changes a byte of it on the disk.
fn flip(disk: &Path) {
    let change = || -> std::io::Result<()> {
        let bytes = fs::read(disk)?;
        let at = bytes.windows(PHOTO.len()).position(|seen| seen == PHOTO);
        let at = at.ok_or(std::io::ErrorKind::NotFound)?;
        let file = OpenOptions::new().write(true).open(disk)?;
        file.write_all_at(b"X", at as u64 + 3)?;
        file.sync_all()?;
        fs::write("/proc/sys/vm/drop_caches", "3")
    };
    change().unwrap_or_else(|e| panic!("cannot change {disk:?}: {e}"));
}

#[test]
fn a_file_that_the_disk_changed_is_named() {
    if !installed("mkfs.btrfs") {
        return skip("mkfs.btrfs is not installed");
    }
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "create", "fast", "btrfs", "size=256MiB"]).ok();
    daemon.lxc(["storage", "volume", "create", "fast", "album"]).ok();
    let pools = daemon.folder().join("storage-pools");
    photo(&pools.join("fast/custom/default_album/data/summer.jpg"));
    let good = daemon.cli(["storage", "verify", "fast"]).ok().text();
    assert!(good.contains("compared with checksums, 0 places repaired, 0 damaged"), "{good}");

    flip(&pools.join("fast.img"));
    let bad = daemon.cli(["storage", "verify", "fast"]);
    assert_eq!(bad.status, 1);
    let said = String::from_utf8_lossy(&bad.stdout);
    assert!(said.contains("summer.jpg in custom \"album\" of project \"default\""), "{said}");
    daemon.lxc(["storage", "volume", "delete", "fast", "album"]).ok();
    // The kernel frees what was deleted within half a minute.
    within(Duration::from_secs(60), "nothing is damaged", || {
        host(&["sync", "--file-system", &pools.join("fast").to_string_lossy()]).ok();
        (daemon.cli(["storage", "verify", "fast"]).status == 0).then_some(())
    });
    daemon.lxc(["storage", "delete", "fast"]).ok();
}

#[test]
fn a_mirror_heals_itself() {
    if !installed("mkfs.btrfs") {
        return skip("mkfs.btrfs is not installed");
    }
    let Some(daemon) = Daemon::ready() else { return };
    let files = ["one", "two"].map(|name| daemon.scratch().join(name));
    let disks = files.each_ref().map(|file| {
        File::create(file).and_then(|made| made.set_len(256 << 20)).unwrap();
        host(&["losetup", "--find", "--show", &file.to_string_lossy()]).text()
    });
    let folder = daemon.scratch().join("mirror");
    fs::create_dir(&folder).unwrap();
    let at = folder.to_string_lossy();
    host(&["mkfs.btrfs", "-q", "-d", "raid1", "-m", "raid1", &disks[0], &disks[1]]).ok();
    let devices = format!("device={},device={}", disks[0], disks[1]);
    host(&["mount", "-t", "btrfs", "-o", &devices, &disks[0], &at]).ok();
    fs::create_dir(folder.join("pool")).unwrap();
    let source = format!("source={}", folder.join("pool").display());
    daemon.lxc(["storage", "create", "safe", "btrfs", &source]).ok();
    daemon.lxc(["storage", "volume", "create", "safe", "album"]).ok();
    let file = folder.join("pool/custom/default_album/data/summer.jpg");
    photo(&file);

    flip(&files[1]);
    let said = daemon.cli(["storage", "verify", "safe"]).ok().text();
    assert!(said.contains("1 places repaired, 0 damaged"), "{said}");
    let said = daemon.cli(["storage", "verify", "safe"]).ok().text();
    assert!(said.contains("0 places repaired, 0 damaged"), "{said}");
    assert!(fs::read(&file).unwrap().starts_with(PHOTO));
    daemon.lxc(["storage", "volume", "delete", "safe", "album"]).ok();
    daemon.lxc(["storage", "delete", "safe"]).ok();
    host(&["umount", &at]).ok();
    disks.iter().for_each(|disk| drop(host(&["losetup", "--detach", disk]).ok()));
}

#[test]
fn a_volume_that_is_gone_is_told() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "volume", "create", "default", "album"]).ok();
    let good = daemon.cli(["storage", "verify", "default"]).ok().text();
    assert!(good.contains("its driver keeps no checksums"), "{good}");
    let volume = daemon.folder().join("storage-pools/default/custom/default_album");
    fs::rename(&volume, daemon.scratch().join("away")).unwrap();
    let bad = daemon.cli(["storage", "verify", "default"]);
    assert_eq!(bad.status, 1);
    let said = String::from_utf8_lossy(&bad.stdout);
    assert!(said.contains("custom \"album\" of project \"default\" is not in the pool"), "{said}");
    daemon.cli(["storage", "verify", "nowhere"]).fails_with("not found");
    daemon.lxc(["storage", "volume", "delete", "default", "album"]).ok();
}
