//! Roots, disks and devices.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use common::{Guest, skip};
use spec::{DeviceNode, Mount, Root};

/// A guest whose root is an overlay over the plain folder.
fn overlay(name: &str) -> Guest {
    let mut guest = Guest::new(name);
    let folder = guest.folder.path();
    let (upper, work) = (folder.join("up:per,x/data"), folder.join("up:per,x/work"));
    fs::create_dir_all(&upper).unwrap();
    fs::create_dir_all(&work).unwrap();
    guest.spec.root = Root::Overlay { lower: vec![guest.root()], upper, work };
    guest
}

#[test]
fn files_have_plain_ids_on_disk() {
    if skip() {
        return;
    }
    let guest = Guest::new("ids").start();
    guest.ok("touch /root/mine; touch /tmp/other; chown 33:44 /tmp/other");
    let owner = |path: &str| {
        let it = fs::metadata(guest.root().join(path)).unwrap();
        (it.uid(), it.gid())
    };
    assert_eq!(owner("root/mine"), (0, 0));
    assert_eq!(owner("tmp/other"), (33, 44));
    assert_eq!(guest.ok("stat -c %u:%g /bin /tmp/other"), "0:0\n33:44\n");
}

#[test]
fn an_overlay_is_writable_and_leaves_its_lower_layers_alone() {
    if skip() {
        return;
    }
    let guest = overlay("overlay").start();
    guest.ok("echo new > /etc/new; chown 33:33 /etc/new; rm /etc/inittab; echo x >> /etc/passwd");
    guest.ok("mkdir /a; mv /a /b; chmod 4755 /b");
    assert_eq!(guest.ok("stat -c %u:%g /etc/new /etc/passwd"), "33:33\n0:0\n");
    let upper = guest.folder.path().join("up:per,x/data");
    assert_eq!(fs::metadata(upper.join("etc/new")).unwrap().uid(), 33);
    assert!(guest.root().join("etc/inittab").exists());
    assert!(!guest.root().join("etc/new").exists());
    assert!(guest.spec.run_dir.read_dir().unwrap().count() <= 3, "no stage is left");
}

#[test]
fn disks_are_mounted_and_read_only_ones_are_locked() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("disks");
    let data = guest.folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "content").unwrap();
    guest.spec.mounts = vec![
        Mount::new(&data, "/mnt/rw"),
        Mount { readonly: true, ..Mount::new(&data, "/mnt/ro") },
        Mount { readonly: true, ..Mount::new(data.join("file"), "/mnt/deep/file") },
        Mount { optional: true, ..Mount::new("/nowhere", "/mnt/none") },
        Mount { readonly: true, shift: false, ..Mount::new("/dev/null", "/proc/uptime") },
        Mount { shift: false, ..Mount::new(&data, "/dev/disk") },
    ];
    let guest = guest.start();
    guest.ok("echo more > /mnt/rw/new");
    assert_eq!(fs::metadata(data.join("new")).unwrap().uid(), 0);
    assert_eq!(guest.ok("cat /mnt/ro/file /mnt/deep/file /dev/disk/file"), "content".repeat(3));
    assert_eq!(guest.ok("cat /proc/uptime"), "");
    assert!(!guest.root().join("mnt/none").exists());
    refuses_to_write(&guest, "/mnt/ro");
    assert_ne!(guest.sh("umount /mnt/ro").0, 0, "a locked mount may not be unmounted");
    assert_ne!(guest.sh("umount /dev").0, 0);
    // What was made to mount on belongs to the container's root.
    assert_eq!(fs::metadata(guest.root().join("mnt/deep")).unwrap().uid(), 0);
}

fn refuses_to_write(guest: &Guest, place: &str) {
    for line in [
        format!("touch {place}/new"),
        format!("mount -o remount,rw {place}"),
        format!("mount -o remount,bind,rw {place}"),
        format!("mkdir -p /tmp/x; mount --bind {place} /tmp/x && mount -o remount,bind,rw /tmp/x"),
    ] {
        let (code, out, _) = guest.sh(&line);
        assert_ne!(code, 0, "{line}: {out}");
    }
    assert_ne!(guest.sh(&format!("touch {place}/new")).0, 0);
}

#[test]
fn a_target_does_not_lead_out() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("escape");
    let outside = guest.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, guest.root().join("mnt/way")).unwrap();
    symlink("/../../../../mnt/in", guest.root().join("mnt/up")).unwrap();
    fs::create_dir(guest.root().join("mnt/in")).unwrap();
    guest.spec.mounts = vec![Mount::new("/etc", "/mnt/up/etc")];
    let mut guest = guest.start();
    assert!(guest.ok("ls /mnt/in").contains("etc"));
    assert!(guest.monitor().add_mount(&Mount::new("/etc", "/mnt/way/x")).is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    guest.spec.generation += 1;
}

#[test]
fn disks_come_and_go_while_it_runs() {
    if skip() {
        return;
    }
    let guest = Guest::new("hotplug").start();
    let data = guest.folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "content").unwrap();
    let monitor = guest.monitor();
    monitor.add_mount(&Mount::new(&data, "/mnt/rw")).unwrap();
    guest.ok("cat /mnt/rw/file; echo x > /mnt/rw/new");
    assert_eq!(fs::metadata(data.join("new")).unwrap().uid(), 0);
    monitor.add_mount(&Mount { readonly: true, ..Mount::new(&data, "/mnt/new/ro") }).unwrap();
    assert_eq!(guest.ok("cat /mnt/new/ro/file"), "content");
    refuses_to_write(&guest, "/mnt/new/ro");
    let file = Mount { readonly: true, ..Mount::new(data.join("file"), "/mnt/one") };
    monitor.add_mount(&file).unwrap();
    assert_eq!(guest.ok("cat /mnt/one"), "content");
    monitor.remove_mount(Path::new("/mnt/rw")).unwrap();
    assert_ne!(guest.sh("cat /mnt/rw/file").0, 0);
    monitor.remove_mount(Path::new("/mnt/rw")).unwrap();
    assert!(monitor.add_mount(&Mount::new("/nowhere", "/mnt/x")).is_err());
}

#[test]
fn devices_are_real_and_come_and_go() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("devices");
    // The same device as /dev/zero, in another place, with owners of the container's.
    guest.spec.devices = vec![DeviceNode {
        mode: 0o640,
        uid: 5,
        gid: 6,
        ..DeviceNode::character("/dev/my/zero", 1, 5)
    }];
    let guest = guest.start();
    assert_eq!(guest.ok("head -c 4 /dev/my/zero | wc -c").trim(), "4");
    assert_eq!(guest.ok("stat -c %u:%g:%a /dev/my/zero /dev/null").trim(), "5:6:640\n0:0:666");
    assert_eq!(guest.ok("head -c 4 /dev/urandom | wc -c; echo x > /dev/null").trim(), "4");
    let monitor = guest.monitor();
    monitor.add_device(&DeviceNode::character("/dev/other/zero", 1, 5)).unwrap();
    assert_eq!(guest.ok("head -c 3 /dev/other/zero | wc -c").trim(), "3");
    monitor.remove_device(Path::new("/dev/other/zero")).unwrap();
    assert_ne!(guest.sh("head -c 3 /dev/other/zero").0, 0);
    assert!(monitor.add_device(&DeviceNode::character("/etc/zero", 1, 5)).is_err());
}

#[test]
fn a_privileged_container_runs_and_is_kept_from_devices() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("privileged");
    guest.spec.idmap = None;
    let guest = guest.start();
    assert!(guest.ok("cat /proc/self/uid_map").contains("4294967295"));
    assert_eq!(guest.ok("head -c 4 /dev/zero | wc -c").trim(), "4");
    guest.ok("mknod /tmp/mem c 1 1");
    assert_ne!(guest.sh("head -c 1 /tmp/mem").0, 0, "it may not read the host's memory");
    assert_ne!(guest.sh("echo 1 > /proc/sys/kernel/panic").0, 0);
    guest.monitor().add_device(&DeviceNode::character("/dev/more", 1, 5)).unwrap();
    assert_eq!(guest.ok("head -c 4 /dev/more | wc -c").trim(), "4");
}
