//! System calls that are done in a container's stead, as its programs see them.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

mod common;

use std::{
    fs::{self, File},
    os::{fd::AsFd, unix::fs::MetadataExt},
    process::Command,
};

use common::{Guest, finish, skip};
use runtime::{ExecIo, ExecSpec};
use spec::{DeviceNode, InterceptMount, Limits};

/// Puts a program of the host and its libraries into a guest.
fn bring(guest: &Guest, program: &str) -> bool {
    let Ok(listed) = Command::new("ldd").arg(program).output() else { return false };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain([program]) {
        let to = guest.root().join(file.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        if fs::copy(file, to).is_err() {
            return false;
        }
    }
    true
}

/// Makes a system call inside, by perl: what it gives, and what error it leaves.
fn call(guest: &Guest, number: i64, arguments: &str) -> String {
    let line = format!(
        "my @a = ({arguments}); my $r = syscall({number}, @a); print $r, ' ', $r < 0 ? $!+0 : 0"
    );
    let spec = ExecSpec::new(["/usr/bin/perl", "-e", &line]);
    let (code, out, err) = finish(guest.monitor().exec(&spec, ExecIo::New).unwrap());
    assert_eq!(code, 0, "{out}{err}");
    out
}

#[test]
fn harmless_nodes_can_be_made_and_no_others() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("mknod");
    guest.spec.seccomp.intercept.mknod = true;
    let guest = guest.start();
    let made = guest.ok("umask 027; cd /tmp; mknod -m 666 null c 1 3; echo gone > null; \
                         mknod deep/../zero c 1 5 2>/dev/null; mkdir deep; mknod deep/../zero c 1 5; \
                         head -c 5 zero | wc -c; ls -l null | head -c 10");
    assert_eq!(made, "5\ncrw-rw-rw-");
    let zero = fs::metadata(guest.root().join("tmp/zero")).unwrap();
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&zero.file_type()), "a node, no mount");
    assert_eq!((zero.uid(), zero.mode() & 0o777), (0, 0o640), "on disk it has the plain id");
    for other in ["b 7 0", "c 1 11", "c 1 1"] {
        let (code, _, error) = guest.sh(&format!("mknod /tmp/no {other}"));
        assert!(code != 0 && error.contains("not permitted"), "{other}: {error}");
    }
    let (_, _, error) = guest.sh("mknod /tmp/null c 1 3");
    assert!(error.contains("exists"), "{error}");
    let (_, _, error) = guest.sh("mknod /proc/null c 1 3");
    assert!(!error.is_empty());
    // A file system that was mounted inside has nodes that open nothing: the host's is mounted there.
    guest.ok("mount -t tmpfs none /mnt; mknod /mnt/null c 1 3; echo gone > /mnt/null; \
              mknod /mnt/console c 5 1; stat /mnt/console; umount /mnt/null");
    let mut spec = ExecSpec::new(["mknod", "/tmp/mine", "c", "1", "3"]);
    (spec.uid, spec.gid) = (1000, 1000);
    let (code, _, error) = finish(guest.monitor().exec(&spec, ExecIo::New).unwrap());
    assert!(code != 0 && error.contains("not permitted"), "who is not root there: {error}");
    // Those are the kernel's.
    guest.ok("mknod /tmp/pipe p; test -p /tmp/pipe");
    assert_eq!(guest.log(), "");
}

#[test]
fn without_it_nothing_is_made() {
    if skip() {
        return;
    }
    let guest = Guest::new("mknod-off").start();
    let (code, _, error) = guest.sh("mknod /tmp/null c 1 3");
    assert!(code != 0 && error.contains("not permitted"), "{error}");
}

/// A node that came with the image is no way to the machine, though nodes open devices then.
#[test]
fn nodes_of_the_image_open_nothing_of_the_machine() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("mknod-image");
    let node = guest.root().join("tmp/memory");
    Command::new("mknod").arg(&node).args(["c", "1", "1"]).status().unwrap();
    fs::set_permissions(&node, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    guest.spec.seccomp.intercept.mknod = true;
    let guest = guest.start();
    let (_, _, error) = guest.sh("head -c 1 /tmp/memory");
    assert!(error.contains("not permitted") || error.contains("denied"), "{error}");
    guest.ok("head -c 1 /dev/zero; echo x > /dev/null");
}

/// A loop device with ext4 on it, whose nodes are those of the host's disks.
struct Disk {
    _file: tempfile::NamedTempFile,
    open: File,
}

fn disk() -> Option<Disk> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("there"), "from the host").unwrap();
    let node = folder.path().join("memory");
    Command::new("mknod").args([node.to_str()?, "c", "1", "1"]).status().ok()?;
    fs::set_permissions(&node, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(16 << 20).unwrap();
    let mut format = Command::new("mke2fs");
    format.args(["-q", "-t", "ext4", "-d"]).arg(folder.path()).arg(file.path());
    format.status().ok().filter(std::process::ExitStatus::success)?;
    let (_, open) = sys::attach_loop(file.as_file().as_fd()).ok()?;
    Some(Disk { _file: file, open })
}

impl Disk {
    fn node(&self) -> DeviceNode {
        let number = self.open.metadata().unwrap().rdev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        DeviceNode::block("/dev/disk", major, minor)
    }
}

fn mounting(name: &str, disk: &Disk, shift: bool) -> Guest {
    let mut guest = Guest::new(name);
    let allowed = vec!["ext4".to_owned()];
    guest.spec.seccomp.intercept.mount =
        Some(InterceptMount { allowed, shift, ..InterceptMount::default() });
    guest.spec.devices = vec![disk.node()];
    guest
}

#[test]
fn allowed_file_systems_can_be_mounted() {
    if skip() {
        return;
    }
    let Some(disk) = disk() else {
        eprintln!("SKIP: no loop device or mke2fs");
        return;
    };
    let guest = mounting("mount", &disk, true).start();
    guest.ok("mount -t ext4 -o noatime /dev/disk /mnt; echo inside > /mnt/new; ls -l /mnt/new");
    assert_eq!(guest.ok("cat /mnt/there; stat -c %u /mnt/there"), "from the host0\n");
    let mounts = guest.ok("grep /mnt /proc/self/mounts");
    assert!(mounts.contains("ext4") && mounts.contains("noatime,") && mounts.contains("nodev"));
    // The nodes on it open nothing, and nothing inside changes that.
    let (_, _, error) = guest.sh("head -c 1 /mnt/memory");
    assert!(error.contains("denied"), "{error}");
    guest.sh("mount -o remount,bind,dev /mnt");
    let (_, _, error) = guest.sh("head -c 1 /mnt/memory");
    assert!(error.contains("denied") || error.contains("not permitted"), "{error}");
    let (_, _, error) = guest.sh("mkdir /tmp/x; mount -t xfs /dev/disk /tmp/x");
    assert!(error.contains("permission denied"), "{error}");
    let (_, _, error) = guest.sh("mount -t ext4 /etc/passwd /tmp/x");
    assert!(error.contains("permission denied"), "not a device; it tries a loop device: {error}");
    let (_, _, error) = guest.sh("mount -t ext4 /dev/none /tmp/x");
    assert!(error.contains("No such file"), "{error}");
    guest.ok("umount /mnt; mount -t ext4 -o ro /dev/disk /mnt; test -e /mnt/new");
    assert!(guest.sh("touch /mnt/other").2.contains("Read-only"));
    guest.ok("mount -t tmpfs none /tmp/x; mount -o bind /tmp/x /root; umount /root /tmp/x /mnt");
}

#[test]
fn a_device_that_it_may_not_open_is_not_mounted() {
    if skip() {
        return;
    }
    let Some(disk) = disk() else {
        eprintln!("SKIP: no loop device or mke2fs");
        return;
    };
    let mut guest = mounting("mount-no", &disk, false);
    guest.spec.devices.clear();
    let node = guest.root().join("tmp/disk");
    let number = disk.open.metadata().unwrap().rdev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let numbers = ["b", &major.to_string(), &minor.to_string()];
    Command::new("mknod").arg(&node).args(numbers).status().unwrap();
    fs::set_permissions(&node, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let guest = guest.start();
    let (_, _, error) = guest.sh("mount -t ext4 /tmp/disk /mnt");
    assert!(error.contains("permitted") || error.contains("denied"), "{error}");
}

#[test]
fn a_program_inside_mounts_where_that_is_asked_for() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("fuse");
    let fuse = [("ext4".to_owned(), "fuse2fs".to_owned())].into();
    guest.spec.seccomp.intercept.mount = Some(InterceptMount { fuse, ..InterceptMount::default() });
    let program = guest.root().join("bin/mount.fuse");
    fs::write(&program, "#!/bin/sh\necho \"$@\" > /tmp/told\ntest $1 = fuse2fs#/dev/fine\n")
        .unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let guest = guest.start();
    guest.ok("mount -t ext4 -o nodev,allow_other /dev/fine /mnt");
    assert_eq!(guest.ok("cat /tmp/told"), "fuse2fs#/dev/fine /mnt -o nodev,allow_other\n");
    assert!(guest.sh("mount -t ext4 /dev/bad /mnt").2.contains("Invalid"));
    guest.ok("rm /bin/mount.fuse");
    assert!(guest.sh("mount -t ext4 /dev/fine /mnt").2.contains("No such device"));
}

#[test]
fn the_machine_is_not_shown_by_sysinfo() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("sysinfo");
    std::os::unix::fs::symlink("busybox", guest.root().join("bin/free")).unwrap();
    std::os::unix::fs::symlink("busybox", guest.root().join("bin/uptime")).unwrap();
    guest.spec.seccomp.intercept.sysinfo = true;
    guest.spec.limits = Limits { memory: Some(64 << 20), ..Limits::default() };
    let guest = guest.start();
    let told = guest.ok("free -m");
    // What is used it counts from the machine's /proc/meminfo, which stays.
    assert!(told.contains("Mem:             64"), "{told}");
    assert!(guest.ok("uptime").contains("up 0 min"));
}

#[test]
fn other_calls_are_done_as_well() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("calls");
    if !bring(&guest, "/usr/bin/perl") {
        eprintln!("SKIP: no perl");
        return;
    }
    guest.spec.seccomp.intercept.setxattr = true;
    guest.spec.seccomp.intercept.sched_setscheduler = true;
    guest.spec.seccomp.intercept.device_filters = true;
    let guest = guest.start();
    guest.ok("mkdir /tmp/a");

    let opaque = |path: &str, name: &str| format!("'{path}', '{name}', 'y', 1, 0");
    let set = |path, name| call(&guest, libc::SYS_setxattr, &opaque(path, name));
    assert_eq!(set("/tmp/a", "trusted.overlay.opaque"), "0 0");
    let mut value = [0; 8];
    let size = rustix::fs::getxattr(
        guest.root().join("tmp/a"),
        "trusted.overlay.opaque",
        value.as_mut_slice(),
    );
    assert_eq!(size.map(|size| value[..size].to_vec()), Ok(b"y".to_vec()));
    assert_eq!(set("/tmp/a", "trusted.other"), format!("-1 {}", libc::EPERM));
    assert_eq!(set("/tmp/none", "trusted.overlay.opaque"), format!("-1 {}", libc::ENOENT));
    assert_eq!(set("/tmp/a", "user.mine"), "0 0", "the kernel does others");

    // SCHED_BATCH needs no right, SCHED_RR does.
    let schedule = |thread: &str, policy: i32, priority: i32| {
        call(
            &guest,
            libc::SYS_sched_setscheduler,
            &format!("{thread}, {policy}, pack('i', {priority})"),
        )
    };
    let first = guest.monitor().info().unwrap().pid;
    assert_eq!(schedule("0", libc::SCHED_BATCH, 0), "0 0");
    assert_eq!(schedule("1", libc::SCHED_BATCH, 0), "0 0");
    assert_eq!(policy_of(first), libc::SCHED_BATCH, "it is PID 1 of the container that was meant");
    if guest.groups().iter().any(|group| group.join("cpu.rt_runtime_us").exists()) {
        eprintln!("SKIP: its control group (version 1) has no time for real-time policies");
    } else {
        assert_eq!(schedule("1", libc::SCHED_RR, 7), "0 0");
        assert_eq!(policy_of(first), libc::SCHED_RR);
    }
    assert_eq!(schedule("1", libc::SCHED_OTHER, 0), "0 0");
    assert_eq!(schedule("99999", libc::SCHED_RR, 7), format!("-1 {}", libc::ESRCH));
    assert_eq!(schedule("0", 99, 7), format!("-1 {}", libc::EINVAL));

    // r0 = 1; exit: a filter that lets everything through.
    let program = "my $i = pack('CCsl CCsl', 0xb7, 0, 0, 1, 0x95, 0, 0, 0); my $l = \"GPL\\0\"; \
                   pack('LLQQ x104', 15, 2, unpack('Q', pack('P', $i)), unpack('Q', pack('P', $l)))";
    let loaded = call(&guest, libc::SYS_bpf, &format!("5, do {{ {program} }}, 128"));
    let number: i32 = loaded.split(' ').next().unwrap().parse().unwrap();
    assert!(number > 2, "a descriptor: {loaded}");
    // Another kind of program is the kernel's business.
    let other = call(&guest, libc::SYS_bpf, "5, pack('LLQQ x104', 1, 0, 0, 0), 128");
    assert!(other.starts_with("-1"), "{other}");
}

/// A filter that lets everything through, loaded and attached by one process, as programs of containers do.
#[test]
fn filters_are_attached_to_its_groups_and_taken_off() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("filters");
    if !bring(&guest, "/usr/bin/perl") {
        eprintln!("SKIP: no perl");
        return;
    }
    guest.spec.seccomp.intercept.device_filters = true;
    let guest = guest.start();
    let (bpf, openat) = (libc::SYS_bpf, libc::SYS_openat);
    // Load is 5, attach 8, detach 9; kind of program 15, of attachment 6, beside others 2.
    let script = format!(
        "my $i = pack('CCsl CCsl', 0xb7, 0, 0, 1, 0x95, 0, 0, 0); my $l = \"GPL\\0\"; \
         my $p = pack('LLQQ x104', 15, 2, unpack('Q', pack('P', $i)), unpack('Q', pack('P', $l))); \
         my $f = syscall({bpf}, 5, $p, 128); mkdir '/sys/fs/cgroup/sub'; \
         my @d = ('/sys/fs/cgroup/sub', '/sys/fs/cgroup'); my @c = (8, 9); \
         foreach my $d (@d) {{ \
           my $g = syscall({openat}, -100, $d, 0, 0); \
           foreach my $c (@c) {{ \
             my $a = pack('LLLL x112', $g, $f, 6, $c == 8 ? 2 : 0); \
             my $r = syscall({bpf}, $c, $a, 128); print $r < 0 ? $!+0 : 0, ' ' }} }}"
    );
    let spec = ExecSpec::new(["/usr/bin/perl", "-e", &script]);
    let (code, out, err) = finish(guest.monitor().exec(&spec, ExecIo::New).unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out.trim(), "0 0 0 0");
}

fn policy_of(process: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    // Field 41 of proc_pid_stat(5).
    rest.split_whitespace().nth(38).unwrap().parse().unwrap()
}

#[test]
fn a_user_namespace_made_inside_gets_nothing_done() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("nested");
    std::os::unix::fs::symlink("busybox", guest.root().join("bin/unshare")).unwrap();
    guest.spec.seccomp.intercept.mknod = true;
    guest.spec.nesting = true;
    guest.spec.seccomp.intercept.mount = Some(InterceptMount {
        allowed: vec!["tmpfs".to_owned(), "ext4".to_owned()],
        ..InterceptMount::default()
    });
    let guest = guest.start();
    // Its own mounts go on as before.
    guest.ok("unshare -U -r -m sh -c 'mount -t tmpfs none /mnt && touch /mnt/x'");
    guest.ok("mount -t tmpfs -o size=1m none /mnt; touch /mnt/x; umount /mnt");
}
