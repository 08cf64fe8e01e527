//! What an instance may and may not, as its user sees it.

use lab::{Client, Daemon, skip};

/// The first host id of an instance's root.
fn base(daemon: &Daemon, name: &str) -> String {
    let map = daemon.sh(name, "cat /proc/self/uid_map").text();
    map.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn root_inside_is_nobody_outside() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    assert_ne!(base(&daemon, "x"), "0");
    // What the machine has is out of reach.
    daemon.sh("x", "mknod /tmp/disk b 254 0").fails();
    assert_ne!(
        daemon.sh("x", "mount -t tmpfs none /proc/sys && echo 1 > /proc/sysrq-trigger").status,
        0
    );
    assert_ne!(daemon.sh("x", "echo 1 > /proc/sys/kernel/sysrq").status, 0);
    assert_ne!(daemon.sh("x", "dmesg -c").status, 0);
    daemon.sh("x", "mount -t tmpfs none /mnt && umount /mnt").ok();
    // No file or process of the machine or of another instance is seen.
    daemon.busybox("y");
    let seen = daemon.sh("x", "ps -o comm | grep -c -e daemon -e monitor").shown();
    assert_eq!(seen.trim(), "0");
    let mounts = daemon.sh("x", "cat /proc/self/mountinfo").text();
    let roots = mounts.lines().filter(|line| line.split(' ').nth(4) == Some("/"));
    assert_eq!(roots.count(), 1, "{mounts}");
    let state = daemon.sh("x", "grep Seccomp: /proc/self/status").text();
    assert!(state.ends_with('2'), "{state}");
}

#[test]
fn isolated_instances_share_no_ids() {
    let Some(daemon) = Daemon::ready() else { return };
    for name in ["a", "b"] {
        let isolated = "security.idmap.isolated=true";
        daemon.cli(["launch", "local:busybox", name, "-c", isolated]).ok();
    }
    daemon.busybox("c");
    let bases: std::collections::BTreeSet<_> =
        ["a", "b", "c"].map(|name| base(&daemon, name)).into();
    assert_eq!(bases.len(), 3, "{bases:?}");
    // Files are still its own, also when its ids change.
    daemon.sh("a", "touch /root/mine").ok();
    daemon.cli(["stop", "a", "--force"]).ok();
    daemon.cli(["config", "unset", "a", "security.idmap.isolated"]).ok();
    daemon.cli(["start", "a"]).ok();
    assert_eq!(base(&daemon, "a"), base(&daemon, "c"));
    assert_eq!(daemon.sh("a", "stat -c %u:%g /root/mine").text(), "0:0");
}

#[test]
fn privileged_instances_run_too() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["launch", "local:busybox", "x", "-c", "security.privileged=true"]).ok();
    assert_eq!(base(&daemon, "x"), "0");
    assert_eq!(daemon.sh("x", "hostname").text(), "x");
    // A device of the machine stays closed to it.
    assert_ne!(daemon.sh("x", "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk").status, 0);
    daemon.cli(["stop", "x"]).ok();
}

#[test]
fn containers_inside_of_it() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["launch", "local:busybox", "x", "-c", "security.nesting=true"]).ok();
    // What Docker does: an overlay on the instance's own disk, namespaces, a proc of its own.
    let overlay =
        "cd /root && mkdir l u w m && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m";
    daemon.sh("x", &format!("{overlay} && touch m/file && test -e u/file && umount m")).ok();
    let inner = "unshare --fork --pid --mount --uts --ipc --net --user --map-root-user \
        sh -c 'mount -t proc proc /proc && echo $$'";
    assert_eq!(daemon.sh("x", inner).text(), "1");
}

/// What it may do more, and what it may do no more, from its next start on.
#[test]
fn system_calls_are_done_in_its_stead() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.sh("x", "mknod /tmp/null c 1 3").fails();
    let lxc = |words: &[&str]| daemon.run(Client::Lxc, words);
    lxc(&["config", "set", "x", "security.syscalls.intercept.mknod=true"]).ok();
    lxc(&["config", "set", "x", "security.syscalls.intercept.mount=true"]).ok();
    let key = "security.syscalls.intercept.mount.allowed";
    lxc(&["config", "set", "x", key, "ext4,xfs"]).ok();
    lxc(&["restart", "x", "--force"]).ok();
    daemon.sh("x", "mknod -m 666 /tmp/null c 1 3 && echo gone > /tmp/null").ok();
    daemon.sh("x", "mknod /tmp/disk b 254 0").fails();
    daemon.sh("x", "mount -t tmpfs none /mnt && mknod /mnt/zero c 1 5 && head -c 1 /mnt/zero").ok();
    // A daemon that starts anew finds all of it at work still.
    daemon.restart();
    daemon.sh("x", "mknod /tmp/zero c 1 5").ok();
    let wrong = daemon.cli(["config", "set", "x", &format!("{key}=ext4,../x")]);
    wrong.fails_with("a file system such as ext4");
    let both = "security.syscalls.intercept.mount.fuse=ext4=fuse2fs";
    daemon.cli(["config", "set", "x", both]).fails_with("names ext4 as well as");
}

#[test]
fn programs_see_the_limits_of_their_instance() {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    if !mounts.contains(" fuse.lxcfs ") {
        return skip("lxcfs does not run");
    }
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["launch", "local:busybox", "x", "-c", "limits.memory=64MiB"]).ok();
    let total = daemon.sh("x", "grep MemTotal: /proc/meminfo").text();
    assert!(total.contains(" 65536 kB"), "{total}");
}

#[test]
fn a_monitor_costs_little() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.init_of("x")));
    let status = status.unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap_or_default();
    let rollup = format!("/proc/{}/smaps_rollup", parent.trim());
    let rollup = std::fs::read_to_string(rollup).unwrap_or_default();
    let dirty = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kib: u32 = dirty
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_else(|| panic!("{rollup}"));
    assert!(
        kib < 2048,
        "the monitor has {kib} KiB of its own (a debug build; released: under 1024)"
    );
}
