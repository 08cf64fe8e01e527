//! The small virtual machine that most tests of machines run: `rigs/guest.sh` makes it, once for all runs.

use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use crate::{Client, Daemon, host, images, skip, wait};

/// Made anew when the script that makes it is another.
const SCRIPT: &str = include_str!("../rigs/guest.sh");
const CACHE: &str = "/var/cache/microcloud-test";
/// A boot under QEMU's translator, beside other tests.
const BOOT: Duration = Duration::from_secs(90);
/// The same in a rig, which is slow itself.
const BOOT_IN_A_RIG: Duration = Duration::from_secs(600);
/// Where a rig has the folder that the script makes.
const GUEST: &str = "MICROCLOUD_GUEST";

impl Daemon {
    /// A daemon that is set up and has the images `busybox` and `tiny`; `None` when that cannot be had here,
    /// and it said why.
    #[track_caller]
    pub fn machines() -> Option<Daemon> {
        let kernel = kernel()?;
        let daemon = Daemon::ready()?;
        tiny(&daemon, &kernel);
        Some(daemon)
    }

    /// Gives a daemon the image `tiny`; false, and a word why, where that cannot be had.
    #[track_caller]
    pub fn tiny(&self) -> bool {
        let kernel = kernel();
        kernel.iter().for_each(|kernel| tiny(self, kernel));
        kernel.is_some()
    }

    /// What an instance said on its console.
    #[track_caller]
    pub fn console(&self, name: &str) -> String {
        self.cli(["console", name, "--show-log"]).text()
    }

    /// Waits until a tiny machine says something on its console.
    #[track_caller]
    pub fn says(&self, name: &str, words: &str) {
        let slow = std::env::var_os(GUEST).is_some();
        let patience = if slow { BOOT_IN_A_RIG } else { BOOT };
        wait::within(patience, &format!("{name} says: {words}"), || {
            self.console(name).contains(words).then_some(())
        });
    }
}

/// Starts a tiny machine, waits for its boot of that number, and ends it.
#[track_caller]
pub fn boots(daemon: &Daemon, name: &str, boot: u32) {
    daemon.lxc(["start", name]).ok();
    daemon.says(name, &format!("guest is up, boot {boot}"));
    daemon.lxc(["stop", name, "--force"]).ok();
}

/// A machine does all in a pool that concerns its disk.
#[track_caller]
pub fn live_in(daemon: &Daemon, pool: &str) {
    let small = ["-c", "limits.memory=128MiB", "-d", "root,size=32MiB"];
    let words = [&["launch", "tiny", "v", "--vm", "-s", pool], &small[..]].concat();
    daemon.run(Client::Lxc, &words).ok();
    daemon.says("v", "guest is up, boot 1");
    daemon.lxc(["snapshot", "v", "one"]).ok();
    daemon.lxc(["config", "device", "set", "v", "root", "size", "48MiB"]).ok();
    daemon.says("v", "disk sda: 48 MiB");
    daemon.lxc(["stop", "v", "--force"]).ok();
    boots(daemon, "v", 2);
    daemon.lxc(["copy", "v", "w"]).ok();
    daemon.lxc(["restore", "v", "one"]).ok();
    daemon.lxc(["snapshot", "v", "two"]).ok();
    boots(daemon, "v", 2);
    daemon.lxc(["delete", "v"]).ok();
    // A copy stands by itself, and moves to folders with its past.
    boots(daemon, "w", 3);
    daemon.lxc(["move", "w", "-s", "default"]).ok();
    daemon.lxc(["restore", "w", "one"]).ok();
    boots(daemon, "w", 2);
    daemon.lxc(["delete", "w"]).ok();
    daemon.lxc(["image", "delete", "tiny"]).ok();
}

/// Whether machines are handed an agent: it was built.
pub fn has_agent() -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/microcloud-agent").is_file()
}

/// The folder with `kernel`, `initrd` and `cmdline`: a rig has it with its tests.
#[track_caller]
pub fn kernel() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(GUEST).map(PathBuf::from)
        && crate::installed("qemu-system-x86_64")
    {
        return Some(folder);
    }
    made("qemu-system-x86_64", "amd64")
}

/// The same of an aarch64.
#[track_caller]
pub fn arm_kernel() -> Option<PathBuf> {
    made("qemu-system-aarch64", "arm64")
}

#[track_caller]
fn made(qemu: &str, architecture: &str) -> Option<PathBuf> {
    let needed = [qemu, "qemu-img", "cpio", "depmod", "dpkg-deb", "busybox"];
    if let Some(absent) = needed.iter().find(|name| !crate::installed(name)) {
        skip(&format!("not installed: {absent}"));
        return None;
    }
    let sum =
        SCRIPT.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let folder = Path::new(CACHE).join(format!("guest-{architecture}-{sum:016x}"));
    fs::create_dir_all(CACHE).unwrap_or_else(|e| panic!("cannot make {CACHE}: {e}"));
    let lock = fs::File::create(Path::new(CACHE).join("guest.lock"));
    let lock = lock.unwrap_or_else(|e| panic!("cannot make a lock in {CACHE}: {e}"));
    flock(lock.as_fd(), FlockOperation::LockExclusive).unwrap_or_else(|e| panic!("lock: {e}"));
    if !folder.is_dir() {
        let part = Path::new(CACHE).join("guest.part");
        fs::create_dir_all(&part).unwrap_or_else(|e| panic!("cannot make {part:?}: {e}"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rigs/guest.sh");
        let [script, into] = [&script, &part].map(|path| path.to_string_lossy().into_owned());
        let made = host(&[&script, &into, architecture]);
        if made.status != 0 {
            skip(&format!("no kernel for a small machine can be had: {}", made.shown()));
            return None;
        }
        fs::rename(&part, &folder).unwrap_or_else(|e| panic!("cannot keep {folder:?}: {e}"));
    }
    Some(folder)
}

#[track_caller]
fn tiny(daemon: &Daemon, kernel: &Path) {
    let (tree, boot) = (daemon.scratch().join("tiny"), daemon.scratch().join("tiny/boot"));
    fs::create_dir_all(&boot).unwrap_or_else(|e| panic!("cannot make {boot:?}: {e}"));
    for name in ["kernel", "initrd", "cmdline"] {
        let copied = fs::copy(kernel.join(name), boot.join(name));
        copied.unwrap_or_else(|e| panic!("cannot copy {name}: {e}"));
    }
    let metadata = "architecture: x86_64\ncreation_date: 1\nproperties:\n  description: tiny\n\
        templates:\n  /etc/made/name:\n    when: [start]\n    template: name.tpl\n    mode: \"0600\"\n";
    let template = tree.join("templates/name.tpl");
    let made = fs::create_dir_all(tree.join("templates"));
    let made = made.and_then(|()| fs::write(tree.join("metadata.yaml"), metadata));
    let made = made.and_then(|()| fs::write(template, "{{ instance.name }} {{ instance.type }}\n"));
    made.unwrap_or_else(|e| panic!("cannot write into {tree:?}: {e}"));
    let (main, disk) = (daemon.scratch().join("tiny.tar"), daemon.scratch().join("tiny.qcow2"));
    images::pack(&tree, &["metadata.yaml", "boot", "templates"], "--no-same-owner", &main);
    let (main, disk) = (main.to_string_lossy(), disk.to_string_lossy());
    host(&["qemu-img", "create", "-q", "-f", "qcow2", &disk, "16M"]).ok();
    daemon.lxc(["image", "import", &main, &disk, "--alias", "tiny"]).ok();
}
