//! Builds on this machine: busybox always, Debian when asked, as it takes its archive and a minute.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Instant;

use exec::Control;

use super::*;
use crate::{Error, inspect};

fn work() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("images-").tempdir().unwrap()
}

fn not_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIP: needs root");
    }
    !root
}

#[test]
fn busybox_is_built_in_no_time_and_can_be_unpacked_again() {
    if not_root() {
        return;
    }
    let work = work();
    let start = Instant::now();
    let built = match build(&Recipe::new("busybox").unwrap(), work.path(), &Control::none()) {
        Err(Error::Missing { what, package }) => return eprintln!("SKIP: {what} ({package})"),
        other => other.unwrap(),
    };
    let took = start.elapsed();
    eprintln!("busybox: {took:?}, {} bytes", built.found.size);
    assert!(took.as_millis() < 3000, "{took:?}");
    let read = inspect(&built.files, &Control::none()).unwrap();
    assert_eq!(read, built.found, "the tarball says what the build said");

    let (moved, unpacked) = (work.path().join("moved"), work.path().join("unpacked"));
    fs::create_dir(&moved).unwrap();
    fs::create_dir(&unpacked).unwrap();
    built.place(&moved, &Control::none()).unwrap();
    built.place(&unpacked, &Control::none()).unwrap(); // from the tarball, as the tree is gone
    for tree in [&moved, &unpacked] {
        let init = tree.join("rootfs/sbin/init");
        assert_eq!(fs::read_link(&init).unwrap(), Path::new("/bin/busybox"));
        let program = fs::metadata(tree.join("rootfs/bin/busybox")).unwrap();
        assert!(program.permissions().mode() & 0o111 != 0 && program.uid() == 0);
        assert!(tree.join("rootfs/etc/inittab").exists() && tree.join("metadata.yaml").exists());
        assert_eq!(fs::metadata(tree.join("rootfs/tmp")).unwrap().mode() & 0o7777, 0o1777);
    }
}

#[test]
fn an_unknown_recipe_is_told_what_is_known() {
    let error = Recipe::new("gentoo").unwrap_err().to_string();
    assert!(error.contains("gentoo") && error.contains("debian/12"), "{error}");
}

#[test]
fn a_distribution_is_built_with_what_it_needs() {
    for name in ["debian/12", "debian/13", "ubuntu/24.04"] {
        if std::env::var_os("MICROCLOUD_TEST_BUILD").is_none() || not_root() {
            return eprintln!("SKIP: set MICROCLOUD_TEST_BUILD=1 to build from the archives");
        }
        let work = work();
        let start = Instant::now();
        let recipe = Recipe::new(name).unwrap();
        let built = match build(&recipe, work.path(), &Control::none()) {
            Err(e @ (Error::Missing { .. } | Error::Exec(_))) => {
                eprintln!("SKIP: {name}: {e}");
                continue;
            }
            other => other.unwrap(),
        };
        eprintln!("{name}: {:?}, tarball {} bytes", start.elapsed(), built.found.size);
        let root = work.path().join("tree/rootfs");
        assert!(root.join("sbin/init").exists() || root.join("usr/lib/systemd/systemd").exists());
        assert_eq!(fs::read(root.join("etc/machine-id")).unwrap(), b"");
        assert!(!root.join("etc/hostname").exists());
        let enabled = "etc/systemd/system/multi-user.target.wants/systemd-networkd.service";
        assert!(fs::symlink_metadata(root.join(enabled)).is_ok());
        let shadow = fs::read_to_string(root.join("etc/shadow")).unwrap();
        assert!(shadow.lines().any(|line| line.starts_with("root:*:")), "root has no password");
        let (os, _) = name.split_once('/').unwrap();
        let said = built.found.metadata.properties["description"].to_lowercase();
        assert!(said.starts_with(os), "{said}");
    }
}
