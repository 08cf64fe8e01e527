use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::{Files, Limits, inspect, unpack};

fn metadata() -> Metadata {
    Metadata { architecture: "x86_64".into(), ..Metadata::default() }
}

fn files<'a>(metadata: &'a Metadata, folder: &'a Path) -> Contents<'a> {
    Contents { metadata, templates: None, boot: None, root: Root::Files(folder) }
}

/// All that a tarball could lose, but devices.
fn tree(root: &Path) {
    let long = "d".repeat(120);
    fs::create_dir_all(root.join(&long)).unwrap();
    fs::write(root.join(&long).join("file"), "deep").unwrap();
    fs::write(root.join("data"), vec![3; 300_000]).unwrap();
    fs::hard_link(root.join("data"), root.join("data-2")).unwrap();
    fs::hard_link(root.join(&long).join("file"), root.join("zz")).unwrap();
    symlink("x".repeat(200), root.join("far")).unwrap();
    symlink("/etc/passwd", root.join("near")).unwrap();
    fs::write(root.join("sudo"), "sudo").unwrap();
    let owner = (rustix::fs::Uid::from_raw(3_000_000), rustix::fs::Gid::from_raw(5));
    rustix::fs::chown(root.join("sudo"), Some(owner.0), Some(owner.1)).unwrap();
    rustix::fs::chmod(root.join("sudo"), Mode::from_raw_mode(0o6755)).unwrap();
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    fs::write(root.join("ping"), "ping").unwrap();
    set(&root.join("ping"), "security.capability", &capability);
    set(&root.join("ping"), "user.note", &[b'n'; 2000]);
    set(&root.join("ping"), "trusted.overlay.opaque", b"y");
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"not-utf8-\xff")), "x").unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.set_len(32 << 20).unwrap();
    let old = fs::FileTimes::new()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1));
    File::open(root.join(&long)).unwrap().set_times(old).unwrap();
}

fn set(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

fn get(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let used = rustix::fs::getxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(used);
    Some(value)
}

#[test]
fn what_was_packed_comes_back_in_every_compression() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("SKIP: needs root");
    }
    let work = tempfile::tempdir().unwrap();
    let root = work.path().join("root");
    fs::create_dir(&root).unwrap();
    tree(&root);
    for (n, compression) in
        [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Xz]
            .into_iter()
            .enumerate()
    {
        let file = work.path().join(format!("{n}.image"));
        let metadata = metadata();
        let contents = files(&metadata, &root);
        let packed =
            pack(&contents, compression, File::create(&file).unwrap(), &Control::none()).unwrap();
        let found = inspect(&Files::unified(&file), &Control::none()).unwrap();
        assert_eq!((&found.fingerprint, found.size), (&packed.fingerprint, packed.size));
        let into = work.path().join(n.to_string());
        fs::create_dir(&into).unwrap();
        unpack(&Files::unified(&file), &into, &Limits::default(), &Control::none()).unwrap();
        check(&root, &into.join("rootfs"));
        let sparse = fs::metadata(into.join("rootfs/sparse")).unwrap();
        assert!(sparse.blocks() * 512 < 1 << 20, "holes stay holes");
    }
}

fn check(from: &Path, to: &Path) {
    let stat = |path: &str| fs::symlink_metadata(to.join(path)).unwrap();
    let long = "d".repeat(120);
    assert_eq!(fs::read(to.join("data")).unwrap(), fs::read(from.join("data")).unwrap());
    assert_eq!(stat("data").ino(), stat("data-2").ino());
    assert_eq!(stat("zz").ino(), stat(&format!("{long}/file")).ino());
    assert_eq!(fs::read_link(to.join("far")).unwrap().as_os_str().len(), 200);
    assert_eq!(fs::read_link(to.join("near")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!((stat("sudo").uid(), stat("sudo").gid()), (3_000_000, 5));
    assert_eq!(stat("sudo").mode() & 0o7777, 0o6755);
    assert_eq!(
        get(&to.join("ping"), "security.capability"),
        get(&from.join("ping"), "security.capability")
    );
    assert_eq!(get(&to.join("ping"), "user.note").unwrap().len(), 2000);
    assert_eq!(get(&to.join("ping"), "trusted.overlay.opaque"), None);
    assert!(to.join(std::ffi::OsStr::from_bytes(b"not-utf8-\xff")).exists());
    assert_eq!(stat("sparse").len(), 32 << 20);
    assert_eq!(stat(&long).mtime(), 1);
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let work = tempfile::tempdir().unwrap();
    for name in ["b", "a", "c"] {
        fs::write(work.path().join(name), name).unwrap();
    }
    let metadata = metadata();
    let contents = files(&metadata, work.path());
    let (mut one, mut two) = (Vec::new(), Vec::new());
    pack(&contents, Compression::Zstd, &mut one, &Control::none()).unwrap();
    pack(&contents, Compression::Zstd, &mut two, &Control::none()).unwrap();
    assert!(one == two && !one.is_empty());
}

#[test]
fn packing_stops_when_cancelled() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("a"), "a").unwrap();
    let control = Control::none();
    control.cancel();
    let metadata = metadata();
    let contents = files(&metadata, work.path());
    let stopped = pack(&contents, Compression::None, io::sink(), &control);
    assert!(matches!(stopped, Err(Error::Cancelled(_))), "{stopped:?}");
}

#[test]
fn gnu_tar_reads_what_we_pack() {
    // The system's tar is the oracle; it is started through the one crate that may.
    let work = tempfile::tempdir().unwrap();
    let root = work.path().join("root");
    fs::create_dir(&root).unwrap();
    if !rustix::process::geteuid().is_root() || !exec::installed("tar") {
        return eprintln!("SKIP: needs root and tar");
    }
    tree(&root);
    let file = work.path().join("image.tar");
    let metadata = metadata();
    let contents = files(&metadata, &root);
    pack(&contents, Compression::None, File::create(&file).unwrap(), &Control::none()).unwrap();
    let into = work.path().join("into");
    fs::create_dir(&into).unwrap();
    let tool = exec::Tool::new("tar", "tar")
        .args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"])
        .arg(&file)
        .arg("-C")
        .arg(&into);
    exec::run(tool, &Control::none()).unwrap();
    check(&root, &into.join("rootfs"));
}
