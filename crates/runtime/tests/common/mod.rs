//! A container with busybox, on this machine.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use runtime::{Created, Event, Exec, ExecIo, ExecSpec, ExitReason, Monitor, Stdio, Watch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spec::{InstanceSpec, Process, Root};

/// What becomes the monitor: only that role, or the program that `MICROCLOUD_TEST_BINARY` names.
pub fn binary() -> PathBuf {
    let given = std::env::var_os("MICROCLOUD_TEST_BINARY").map(PathBuf::from);
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_runtime-test-monitor").into())
}

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: &[&str] = &[
    "sh", "echo", "cat", "sleep", "ls", "mount", "umount", "id", "ps", "stty", "touch", "env",
    "true", "false", "hostname", "dd", "yes", "head", "tail", "kill", "mkdir", "rm", "grep",
    "stat", "mknod", "pwd", "tty", "poweroff", "reboot", "halt", "test", "chmod", "chown", "wc",
    "seq", "mv",
];
/// busybox init takes SIGUSR2 as "power off".
pub const SIGUSR2: i32 = 12;

/// Why containers cannot run here; printed as a skip.
pub fn skip() -> bool {
    let why = if !rustix::process::geteuid().is_root() {
        "not root"
    } else if !Path::new(BUSYBOX).exists() {
        "no /bin/busybox (busybox-static)"
    } else {
        return false;
    };
    eprintln!("SKIP: {why}");
    true
}

/// A folder with a small system; files belong to root, as on disk.
pub fn rootfs(at: &Path) {
    for folder in ["bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "root", "mnt", "run"] {
        fs::create_dir_all(at.join(folder)).unwrap();
    }
    fs::set_permissions(at.join("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    fs::copy(BUSYBOX, at.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", at.join("bin").join(applet)).unwrap();
    }
    symlink("../bin/busybox", at.join("sbin/init")).unwrap();
    let inittab = "::sysinit:/bin/echo system is up\n::respawn:/bin/sleep 100000\n";
    fs::write(at.join("etc/inittab"), inittab).unwrap();
    fs::write(at.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
}

/// A container and its folders; killed and removed when dropped.
pub struct Guest {
    pub folder: tempfile::TempDir,
    pub spec: InstanceSpec,
    pub monitor: Option<Monitor>,
}

impl Guest {
    pub fn new(name: &str) -> Guest {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::Builder::new().prefix("runtime-").tempdir().unwrap();
        let path = folder.path().join("rootfs");
        rootfs(&path);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{name}-{}-{count}", std::process::id());
        let root = Root::Dir { path };
        let mut spec = InstanceSpec::new("runtime-test", &id, 1, root, Process::init("/sbin/init"));
        spec.hostname = "guest".to_owned();
        spec.run_dir = folder.path().join("run");
        spec.log_dir = folder.path().join("log");
        spec.stop_signal = SIGUSR2;
        Guest { folder, spec, monitor: None }
    }

    /// With another program as PID 1.
    pub fn program<const N: usize>(name: &str, argv: [&str; N]) -> Guest {
        let mut guest = Guest::new(name);
        guest.spec.process.argv = argv.map(str::to_owned).to_vec();
        guest
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("rootfs")
    }

    pub fn create(&mut self) -> Created {
        let (monitor, created) = runtime::spawn(&binary(), &self.spec).unwrap();
        self.monitor = Some(monitor);
        created
    }

    pub fn start(mut self) -> Guest {
        self.create();
        self.monitor().release().unwrap();
        self
    }

    /// Its counters.
    pub fn meter(&self) -> runtime::Meter {
        runtime::Meter::open(&self.spec).unwrap()
    }

    pub fn monitor(&self) -> &Monitor {
        self.monitor.as_ref().unwrap()
    }

    /// Runs a shell line as the container's root: exit code, output, errors.
    pub fn sh(&self, line: &str) -> (i32, String, String) {
        finish(self.monitor().exec(&ExecSpec::new(["sh", "-c", line]), ExecIo::New).unwrap())
    }

    /// The same, for lines that have to succeed.
    pub fn ok(&self, line: &str) -> String {
        let (code, out, err) = self.sh(line);
        assert_eq!(code, 0, "{line}: {out}{err}");
        out
    }

    /// Until init has set itself up: before, PID 1 ignores signals.
    pub fn await_boot(&self) {
        eventually("init writes to the console", || {
            let log = self.monitor().console_log().unwrap();
            String::from_utf8_lossy(&log).contains("system is up")
        });
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.spec.log_dir.join("monitor.log")).unwrap_or_default()
    }

    /// Every control group of this instance that exists.
    pub fn groups(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let top = Path::new("/sys/fs/cgroup");
        let roots = fs::read_dir(top).unwrap().flatten().map(|entry| entry.path());
        for root in roots.chain([top.to_owned()]) {
            let group = root.join(&self.spec.cgroup);
            if group.exists() {
                found.push(group);
            }
        }
        found
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("monitor.log:\n{}", self.log());
            if let Some(Ok(console)) = self.monitor.as_ref().map(Monitor::console_log) {
                eprintln!("console:\n{}", String::from_utf8_lossy(&console));
            }
        }
        if let Some(monitor) = self.monitor.take() {
            let watch = monitor.watch();
            let _ = monitor.kill();
            if let Ok(mut watch) = watch {
                wait_readable(watch.as_fd(), 10);
                let _ = watch.next();
            }
        }
        let _ = runtime::cleanup_spec(&self.spec);
    }
}

pub fn wait_readable(fd: impl AsFd, seconds: i64) -> bool {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let limit = Timespec { tv_sec: seconds, tv_nsec: 0 };
    poll(&mut fds, Some(&limit)).unwrap() > 0
}

/// How an instance ends.
pub fn stopped(watch: &mut Watch) -> ExitReason {
    assert!(wait_readable(watch.as_fd(), 30), "no event");
    match watch.next().unwrap() {
        Some(Event::Stopped(reason)) => reason,
        None => panic!("readable without an event"),
    }
}

/// Waits for a program: exit code, output, errors.
pub fn finish(mut exec: Exec) -> (i32, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    match exec.take_stdio() {
        Stdio::Pipes { stdin, stdout, stderr } => {
            drop(stdin);
            let errors = std::thread::spawn(move || text(stderr));
            out = text(stdout);
            err = errors.join().unwrap();
        }
        Stdio::Pty(pty) => out = text(pty),
        Stdio::None => {}
    }
    (exit(&mut exec), out, err)
}

pub fn exit(exec: &mut Exec) -> i32 {
    assert!(wait_readable(exec.as_fd(), 30), "the program does not end");
    exec.try_wait().unwrap().unwrap()
}

/// All there is, until the end or until a terminal hangs up.
pub fn text(fd: OwnedFd) -> String {
    let mut file = File::from(fd);
    let mut bytes = Vec::new();
    let mut chunk = [0; 65536];
    while let Ok(len @ 1..) = file.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..len]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn write(fd: &OwnedFd, text: &str) {
    File::from(fd.try_clone().unwrap()).write_all(text.as_bytes()).unwrap();
}

/// Until it holds, for at most ten seconds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads until some text was seen.
pub fn read_until(fd: &OwnedFd, seen: &mut String, wanted: &str) {
    let mut file = File::from(fd.try_clone().unwrap());
    let mut chunk = [0; 4096];
    while !seen.contains(wanted) {
        assert!(wait_readable(fd.as_fd(), 10), "no {wanted:?} in {seen:?}");
        let len = file.read(&mut chunk).unwrap();
        assert!(len > 0, "no {wanted:?} in {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&chunk[..len]));
    }
}
