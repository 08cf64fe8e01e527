//! Machines that are not here, by their files.

use std::{fs, path::Path, time::SystemTime};

use super::{
    Finding, Verdict, disks, hardware, look,
    machine::{Machine, Module},
};

/// Files of a Raspberry Pi 5 as it comes.
const PI: [(&str, &str); 12] = [
    ("/proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0"),
    ("/proc/meminfo", "MemTotal:        4137312 kB\nMemFree: 1 kB\n"),
    ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"),
    ("/boot/firmware/cmdline.txt", "console=tty1 root=PARTUUID=1-02 rootwait\n"),
    ("/proc/sys/fs/inotify/max_user_instances", "128\n"),
    ("/proc/sys/fs/inotify/max_user_watches", "600000\n"),
    ("/proc/sys/user/max_user_namespaces", "15000\n"),
    ("/etc/sysctl.d/README", ""),
    ("/lib/modules/6.6.20-v8/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n"),
    (
        "/lib/modules/6.6.20-v8/modules.dep",
        "kernel/net/bridge/bridge.ko.xz: kernel/net/llc/llc.ko.xz\nkernel/drivers/net/veth.ko.xz:\n\
         kernel/net/netfilter/nf_tables.ko.xz:\nkernel/net/netfilter/nft_chain_nat.ko.xz:\n\
         kernel/drivers/md/dm-thin-pool.ko.xz:\n",
    ),
    ("/sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
    ("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
];

fn put(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn pi(root: &Path) -> Machine {
    put(root, &PI);
    Machine {
        root: root.into(),
        release: "6.6.20-v8".into(),
        architecture: "aarch64".into(),
        page: 16384,
        path: vec!["/usr/bin".into()],
        folder: "/".into(),
    }
}

fn about<'a>(found: &'a [Finding], words: &str) -> &'a Finding {
    let mut all = found.iter().filter(|finding| finding.says.contains(words));
    all.next().unwrap_or_else(|| panic!("nothing says {words:?}: {found:#?}"))
}

#[test]
fn a_new_raspberry_pi_is_told_what_it_lacks_and_mended() {
    let root = tempfile::tempdir().unwrap();
    let machine = pi(root.path());
    let found = look(&machine);
    let words = ["counts no memory", "voltage is too low", "no nft: no networks"];
    for words in words {
        assert_eq!(about(&found, words).verdict, Verdict::Wrong, "{words}");
    }
    for words in
        ["max_user_instances is 128", "pages have 16384", "no tun: no network cards", "no KVM"]
    {
        assert_eq!(about(&found, words).verdict, Verdict::Advice, "{words}");
    }
    assert!(!found.iter().any(|finding| finding.says.contains("max_user_watches")));
    // What is a module with a dash in its file is there, too, and so is what is built in.
    assert_eq!([machine.module("dm_thin_pool"), machine.module("overlay")], [Module::There; 2]);

    for mend in found.iter().filter_map(|finding| finding.mend.as_ref()) {
        mend.apply(&machine).unwrap();
        mend.apply(&machine).unwrap();
    }
    let line = machine.read("/boot/firmware/cmdline.txt").unwrap();
    assert_eq!(line, "console=tty1 root=PARTUUID=1-02 rootwait cgroup_enable=memory");
    let limits = machine.read("/etc/sysctl.d/60-microcloud.conf").unwrap();
    assert_eq!(limits, "fs.inotify.max_user_instances = 1024");
    let found = look(&machine);
    let memory = about(&found, "counts no memory");
    assert_eq!((memory.fix.as_deref(), &memory.mend), (Some("restart this machine"), &None));
    assert!(!found.iter().any(|finding| finding.says.contains("max_user_instances")));
}

#[test]
fn disks_that_fail_are_named() {
    let root = tempfile::tempdir().unwrap();
    let machine = pi(root.path());
    put(
        root.path(),
        &[
            ("/sys/fs/ext4/sda1/errors_count", "0\n"),
            ("/sys/fs/ext4/mmcblk0p2/errors_count", "3\n"),
            ("/sys/fs/btrfs/u-u/devinfo/1/error_stats", "write_errs 0\ncorruption_errs 7\n"),
            ("/sys/block/md0/md/degraded", "1\n"),
            ("/sys/block/mmcblk1/device/life_time", "0x02 0x0b\n"),
        ],
    );
    let found = disks::look(&machine);
    for words in ["mmcblk0p2: its file system", "7 corruption_errs", "md0: a disk", "mmcblk1: nine"]
    {
        assert_eq!(about(&found, words).verdict, Verdict::Wrong, "{words}");
    }
    assert!(!found.iter().any(|finding| finding.says.contains("sda1")));
    let room = |free| disks::judge_room(Path::new("/x"), free).verdict;
    assert_eq!(
        [room(0), room(2 << 30), room(9 << 30)],
        [Verdict::Wrong, Verdict::Advice, Verdict::Well]
    );
}

#[test]
fn a_clock_that_was_never_set_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    let machine = pi(root.path());
    let at = |time| hardware::clock(&machine, time).verdict;
    assert_eq!(at(SystemTime::UNIX_EPOCH), Verdict::Wrong);
    assert_eq!(at(SystemTime::now()), Verdict::Advice);
    put(root.path(), &[("/run/systemd/timesync/synchronized", "")]);
    assert_eq!(at(SystemTime::now()), Verdict::Well);
}

#[test]
fn old_kernels_and_old_control_groups_are_told() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = pi(root.path());
    for (release, verdict) in
        [("5.10.0", Verdict::Wrong), ("5.15.0-91", Verdict::Advice), ("6.1", Verdict::Well)]
    {
        machine.release = release.into();
        assert_eq!(about(&look(&machine), release).verdict, verdict, "{release}");
    }
    fs::remove_file(root.path().join("sys/fs/cgroup/cgroup.controllers")).unwrap();
    assert_eq!(about(&look(&machine), "version 1").verdict, Verdict::Advice);
    // Nobody knows which modules a kernel has that has no list of them.
    assert_eq!(machine.module("bridge"), Module::Unknown);
}
