//! Control groups of version 2 alone, in a private view of this machine, and how quick a start is.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::{Guest, skip, stopped};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

/// From here on this thread, and what it starts, sees version 2 alone. False: this machine has none.
fn see_version_2_only() -> bool {
    if Path::new("/sys/fs/cgroup/cgroup.procs").exists() {
        return true;
    }
    sys::unshare(libc::CLONE_NEWNS).unwrap();
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).unwrap();
    mount("none", "/sys/fs/cgroup", "cgroup2", MountFlags::empty(), None).is_ok()
}

/// Median and best time until PID 1 was executed, and what the parts took.
fn measure(name: &str) -> Duration {
    let mut times: Vec<_> = (0..15)
        .map(|_| {
            let mut guest = Guest::program(name, ["/bin/sleep", "1000"]);
            let start = Instant::now();
            guest.create();
            let created = start.elapsed();
            guest.monitor().release().unwrap();
            let released = start.elapsed();
            let mut watch = guest.monitor().watch().unwrap();
            let stop = Instant::now();
            guest.monitor().kill().unwrap();
            stopped(&mut watch);
            (released, created, stop.elapsed())
        })
        .collect();
    times.sort();
    eprintln!(
        "{name}: PID 1 executed after {:?} (best {:?}), created after {:?}, killed in {:?}",
        times[7].0, times[0].0, times[7].1, times[7].2
    );
    times[0].0
}

#[test]
fn a_start_is_quick() {
    if skip() {
        return;
    }
    assert!(measure("as-mounted-here") < Duration::from_millis(200));
}

#[test]
fn a_start_on_version_2_is_quick() {
    if skip() {
        return;
    }
    if !see_version_2_only() {
        eprintln!("SKIP: no control groups of version 2");
        return;
    }
    assert!(measure("version-2-alone") < Duration::from_millis(200));
}

#[test]
fn a_container_lives_in_version_2() {
    if skip() {
        return;
    }
    if !see_version_2_only() {
        eprintln!("SKIP: no control groups of version 2");
        return;
    }
    let guest = Guest::new("two").start();
    assert_eq!(guest.groups().len(), 1);
    assert_eq!(guest.ok("cat /proc/1/cgroup | grep ^0").trim(), "0::/");
    // Its root may divide the group, but not lift limits.
    guest.ok("mkdir /sys/fs/cgroup/own && echo $$ > /sys/fs/cgroup/own/cgroup.procs");
    assert_ne!(guest.sh("echo 5 > /sys/fs/cgroup/cgroup.max.depth").0, 0);
    guest.monitor().freeze(true).unwrap();
    guest.monitor().freeze(false).unwrap();
    let usage = guest.meter().read();
    assert!(usage.cpu_ns.unwrap() > 0, "{usage:?}");
    let mut watch = guest.monitor().watch().unwrap();
    guest.monitor().kill().unwrap();
    stopped(&mut watch);
    assert!(guest.groups().is_empty());
}

#[test]
fn a_privileged_container_is_kept_from_devices_by_a_program() {
    if skip() {
        return;
    }
    if !see_version_2_only() {
        eprintln!("SKIP: no control groups of version 2");
        return;
    }
    let mut guest = Guest::new("program");
    guest.spec.idmap = None;
    let guest = guest.start();
    guest.ok("mknod /tmp/mem c 1 1; mknod /tmp/fuse c 10 200; head -c 1 /dev/zero");
    assert_ne!(guest.sh("head -c 1 /tmp/mem").0, 0);
    let random = spec::DeviceNode::character("/dev/mem", 1, 1);
    guest.monitor().add_device(&random).unwrap();
    let opened = |guest: &Guest| guest.sh("head -c 1 /tmp/mem").2;
    assert!(!opened(&guest).contains("not permitted"), "{}", opened(&guest));
    guest.monitor().remove_device(Path::new("/dev/mem")).unwrap();
    assert!(opened(&guest).contains("not permitted"), "{}", opened(&guest));
}
