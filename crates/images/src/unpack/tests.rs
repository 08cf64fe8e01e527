//! Honest images in every form.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use exec::{Control, Progress};

use super::testing::{METADATA, Tar, not_root};
use super::*;
use crate::{Format, Kind, inspect};

fn unified() -> Vec<u8> {
    Tar::new()
        .file("metadata.yaml", METADATA)
        .folder("rootfs/")
        .folder("rootfs/etc/")
        .file("rootfs/etc/hostname", b"x\n")
        .file("rootfs/big", &vec![9; 1_000_000])
        .file("templates/hostname.tpl", b"{{ container.name }}")
        .end()
}

fn compress(format: Format, data: &[u8]) -> Vec<u8> {
    match format {
        Format::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(data).unwrap();
            out.finish().unwrap()
        }
        Format::Xz => liblzma::encode_all(data, 1).unwrap(),
        Format::Lzma => {
            let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
            let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
            let mut out = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            out.write_all(data).unwrap();
            out.finish().unwrap()
        }
        Format::Zstd => zstd::encode_all(data, 1).unwrap(),
        _ => data.to_vec(),
    }
}

struct Work {
    folder: tempfile::TempDir,
}

impl Work {
    fn new() -> Work {
        Work { folder: tempfile::Builder::new().prefix("images-").tempdir().unwrap() }
    }

    fn file(&self, name: &str, data: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, data).unwrap();
        path
    }

    fn unpack(&self, files: &Files) -> crate::Result<PathBuf> {
        let into = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        unpack(files, &into, &Limits::default(), &Control::none()).map(|_| into)
    }
}

#[test]
fn every_compression_is_recognised_and_unpacked() {
    if not_root() {
        return;
    }
    let work = Work::new();
    for format in [Format::Tar, Format::Gzip, Format::Xz, Format::Lzma, Format::Zstd] {
        let data = compress(format, &unified());
        let file = work.file("image", &data);
        assert_eq!(Format::of(&file).unwrap(), format);
        let found = inspect(&Files::unified(&file), &Control::none()).unwrap();
        let mut digest = crate::Digest::new();
        digest.update(&data);
        assert_eq!((found.fingerprint, found.size), (digest.fingerprint(), data.len() as u64));
        assert_eq!((found.kind, found.metadata.architecture.as_str()), (Kind::Container, "x86_64"));
        let into = work.unpack(&Files::unified(&file)).unwrap();
        assert_eq!(fs::read(into.join("rootfs/etc/hostname")).unwrap(), b"x\n");
        assert_eq!(fs::metadata(into.join("rootfs/big")).unwrap().len(), 1_000_000);
        assert!(into.join("templates/hostname.tpl").exists());
        assert_eq!(fs::read(into.join("metadata.yaml")).unwrap(), METADATA);
    }
}

#[test]
fn an_image_in_two_files_is_hashed_as_one() {
    if not_root() {
        return;
    }
    let work = Work::new();
    let meta = Tar::new().file("metadata.yaml", METADATA).file("templates/a.tpl", b"a").end();
    let root = Tar::new().folder("./").file("./etc/passwd", b"root").end();
    let meta = compress(Format::Xz, &meta);
    let root = compress(Format::Gzip, &root);
    let files = Files::split(work.file("meta", &meta), work.file("root", &root));
    let found = inspect(&files, &Control::none()).unwrap();
    let mut digest = crate::Digest::new();
    digest.update(&meta);
    digest.update(&root);
    assert_eq!((found.fingerprint, found.size), (digest.fingerprint(), digest.bytes()));
    let into = work.unpack(&files).unwrap();
    assert_eq!(fs::read(into.join("rootfs/etc/passwd")).unwrap(), b"root");
    assert!(into.join("templates/a.tpl").exists());
}

#[test]
fn a_squashfs_root_keeps_its_attributes_and_loses_its_devices() {
    if not_root() || !exec::installed("mksquashfs") || !exec::installed("unsquashfs") {
        return eprintln!("SKIP: needs root and squashfs-tools");
    }
    let work = Work::new();
    let root = work.folder.path().join("root");
    fs::create_dir_all(root.join("dev")).unwrap();
    fs::write(root.join("ping"), "ping").unwrap();
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(root.join("ping"), "security.capability", &capability, flags).unwrap();
    let (disk, mode) = (rustix::fs::makedev(8, 0), rustix::fs::Mode::RUSR);
    let node = rustix::fs::FileType::BlockDevice;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("dev/sda"), node, mode, disk).unwrap();
    let image = work.folder.path().join("root.squashfs");
    let zstd = exec::mksquashfs::Compression::Zstd(1);
    exec::mksquashfs::pack(&root, &image, zstd, &[], &Control::none()).unwrap();
    let meta = work.file("meta", &Tar::new().file("metadata.yaml", METADATA).end());
    let files = Files::split(meta, &image);
    assert_eq!(inspect(&files, &Control::none()).unwrap().kind, Kind::Container);
    let into = work.unpack(&files).unwrap().join("rootfs");
    let mut value = [0; 64];
    let used = rustix::fs::getxattr(into.join("ping"), "security.capability", &mut value[..]);
    assert_eq!(&value[..used.unwrap()], &capability);
    assert!(into.join("dev").exists() && fs::symlink_metadata(into.join("dev/sda")).is_err());
}

#[test]
fn a_disk_makes_a_virtual_machine() {
    let work = Work::new();
    let meta = work.file("meta", &Tar::new().file("metadata.yaml", METADATA).end());
    let disk = work.file("disk", b"QFI\xfb and so on");
    let files = Files::split(meta, &disk);
    assert_eq!(inspect(&files, &Control::none()).unwrap().kind, Kind::VirtualMachine);
    let into = work.unpack(&files).unwrap();
    assert_eq!(fs::read(into.join("disk.qcow2")).unwrap(), fs::read(&disk).unwrap());
    let one = Tar::new().file("metadata.yaml", METADATA).file("rootfs.img", b"QFI\xfb").end();
    let one = Files::unified(work.file("one", &one));
    assert_eq!(inspect(&one, &Control::none()).unwrap().kind, Kind::VirtualMachine);
    assert!(work.unpack(&one).unwrap().join("disk.qcow2").exists());
}

#[test]
fn gnu_tar_in_both_forms_of_holes_is_read() {
    if not_root() || !exec::installed("tar") {
        return eprintln!("SKIP: needs root and tar");
    }
    let work = Work::new();
    let tree = work.folder.path().join("tree");
    fs::create_dir_all(tree.join("rootfs")).unwrap();
    fs::write(tree.join("metadata.yaml"), METADATA).unwrap();
    let sparse = File::create(tree.join("rootfs/sparse")).unwrap();
    sparse.set_len(20 << 20).unwrap();
    use std::os::unix::fs::FileExt;
    for at in [0_u64, 5 << 20, (20 << 20) - 3] {
        sparse.write_all_at(b"abc", at).unwrap();
    }
    fs::write(tree.join("rootfs").join("n".repeat(150)), "long").unwrap();
    for form in ["--format=gnu", "--format=posix"] {
        let image = work.folder.path().join("image.tar");
        let tool = exec::Tool::new("tar", "tar").arg(form).args(["--sparse", "--xattrs", "-cf"]);
        let tool = tool.arg(&image).arg("-C").arg(&tree).args(["metadata.yaml", "rootfs"]);
        // With --xattrs tar insists on the posix form.
        let tool = if form == "--format=gnu" {
            let tool = exec::Tool::new("tar", "tar").args([form, "--sparse", "-cf"]).arg(&image);
            tool.arg("-C").arg(&tree).args(["metadata.yaml", "rootfs"])
        } else {
            tool
        };
        exec::run(tool, &Control::none()).unwrap();
        let into = work.unpack(&Files::unified(&image)).unwrap().join("rootfs");
        assert_eq!(
            fs::read(into.join("sparse")).unwrap(),
            fs::read(tree.join("rootfs/sparse")).unwrap(),
            "{form}"
        );
        assert!(fs::metadata(into.join("sparse")).unwrap().blocks() * 512 < 4 << 20, "{form}");
        assert_eq!(fs::read(into.join("n".repeat(150))).unwrap(), b"long");
    }
}

#[test]
fn unpacking_reports_and_stops() {
    if not_root() {
        return;
    }
    let work = Work::new();
    let file = work.file("image", &compress(Format::Zstd, &unified()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let control = Control::new(move |p: &Progress| sink.lock().unwrap().push(p.percent));
    let into = tempfile::tempdir().unwrap();
    unpack(&Files::unified(&file), into.path(), &Limits::default(), &control).unwrap();
    assert!(seen.lock().unwrap().iter().all(|percent| percent.is_some()));
    let stopper = Arc::new(Mutex::new(None::<Control>));
    let held = Arc::clone(&stopper);
    let control = Control::new(move |_| {
        if let Some(control) = held.lock().unwrap().as_ref() {
            control.cancel();
        }
    });
    *stopper.lock().unwrap() = Some(control.clone());
    let into = tempfile::tempdir().unwrap();
    let stopped = unpack(&Files::unified(&file), into.path(), &Limits::default(), &control);
    assert!(matches!(stopped, Err(Error::Cancelled(_))), "{stopped:?}");
    assert!(!into.path().join("rootfs/big").exists());
    *stopper.lock().unwrap() = None;
}

#[test]
fn what_is_no_image_is_told_from_one_that_lacks_something() {
    let work = Work::new();
    let text = work.file("text", b"#!/bin/sh\n");
    let error = inspect(&Files::unified(&text), &Control::none()).unwrap_err();
    assert!(matches!(error, Error::UnknownFormat { .. }), "{error}");
    let bare = work.file("bare", &Tar::new().file("rootfs/x", b"").end());
    assert!(matches!(
        inspect(&Files::unified(&bare), &Control::none()),
        Err(Error::NoMetadata { .. })
    ));
    let rootless = work.file("rootless", &Tar::new().file("metadata.yaml", METADATA).end());
    assert!(matches!(
        inspect(&Files::unified(&rootless), &Control::none()),
        Err(Error::NoRoot { .. })
    ));
    assert!(matches!(work.unpack(&Files::unified(&rootless)), Err(Error::NoRoot { .. })));
    let disk = work.file("disk", b"QFI\xfb");
    assert!(matches!(
        inspect(&Files::unified(&disk), &Control::none()),
        Err(Error::Misplaced { .. })
    ));
}
