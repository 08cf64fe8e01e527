#![allow(clippy::disallowed_methods, reason = "the lab is who starts the programs it tests")]

//! Machines that this server would not make, as others do: an aarch64, and one of several nodes. QEMU has the
//! arguments that the daemon gives it, and what is behind them lies in a folder of the test.

use std::{
    fs::{self, File},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use lab::within;
use vm::{
    Accel, Boot, Call, Disk, Firmware, Layout, Loader, Machine, Manner, Medium, Node, QMP_SOCKET,
    Qmp, Screen,
};

/// A kernel under QEMU's translator, beside other tests.
const BOOT: Duration = Duration::from_secs(180);

struct Qemu {
    child: Child,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Qemu {
    /// Runs a machine of a kernel as the daemon would, where it would.
    fn run(machine: &Machine, kernel: &Path) -> Qemu {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        for name in ["io", "drive"] {
            fs::create_dir(folder.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        if let Boot::Firmware(Firmware::Uefi { variables, .. }) = &machine.boot {
            let copied = fs::copy(variables, folder.path().join("nvram"));
            copied.unwrap_or_else(|e| panic!("{variables:?}: {e}"));
        }
        let own = folder.path().display().to_string();
        let place = |word: String| {
            let word = word.replace(vm::BOOT, &kernel.display().to_string());
            word.replace("/run/vm", &own)
        };
        let words: Vec<String> = vm::command(machine).into_iter().map(place).collect();
        let console = File::create(folder.path().join("console")).unwrap_or_else(|e| panic!("{e}"));
        let errors = console.try_clone().unwrap_or_else(|e| panic!("{e}"));
        let child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(console)
            .stderr(errors)
            .spawn();
        let child = child.unwrap_or_else(|e| panic!("{}: {e}", words[0]));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        Qemu { child, folder, runtime: runtime.unwrap_or_else(|e| panic!("{e}")) }
    }

    /// Waits for what is told to it.
    #[track_caller]
    fn told<T>(&self, what: impl Future<Output = vm::Result<T>>) -> T {
        self.runtime.block_on(what).unwrap_or_else(|e| panic!("{e}: {}", self.console()))
    }

    #[track_caller]
    fn qmp(&self) -> Qmp {
        self.told(Qmp::connect(&self.folder.path().join("io"), QMP_SOCKET, BOOT))
    }

    fn console(&self) -> String {
        let text = fs::read(self.folder.path().join("console")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    #[track_caller]
    fn says(&self, words: &str) {
        within(BOOT, &format!("the guest says: {words}"), || {
            self.console().contains(words).then_some(())
        });
    }

    /// An empty disk of so many MiB.
    fn disk(&self, name: &str, mib: u64) -> OwnedFd {
        let path = self.folder.path().join(name);
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
        let file = file.unwrap_or_else(|e| panic!("{path:?}: {e}"));
        file.set_len(mib << 20).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        file.into()
    }
}

fn machine(architecture: &str, kernel: &Path) -> Machine {
    let cmdline = fs::read_to_string(kernel.join("cmdline")).unwrap_or_else(|e| panic!("{e}"));
    let cmdline = cmdline.trim().into();
    with(architecture, Boot::Kernel { initrd: true, cmdline })
}

fn with(architecture: &str, boot: Boot) -> Machine {
    Machine {
        name: "board".into(),
        uuid: "3f4cb2b4-3ea9-4a0c-8d4e-0f7f2c6a4c55".into(),
        architecture: architecture.into(),
        accel: Accel::Tcg,
        memory: 256 << 20,
        huge_pages: false,
        cpus: 2,
        most_cpus: 4,
        nodes: Vec::new(),
        places: 8,
        seed: false,
        boot,
        tpm: false,
        screen: Screen::None,
        extra: Vec::new(),
    }
}

fn disk<'a>(name: &'a str, file: OwnedFd, layout: &'a Layout) -> Disk<'a> {
    let (medium, manner) = (Medium::Disk, Manner::default());
    Disk { name, file, device: false, medium, readonly: false, manner, boot: None, layout }
}

#[test]
fn an_aarch64_boots_takes_disks_and_gives_memory_back() {
    let Some(kernel) = lab::machines::arm_kernel() else { return };
    let qemu = Qemu::run(&machine("aarch64", &kernel), &kernel);
    let (qmp, layout) = (qemu.qmp(), Layout::default());
    qemu.told(vm::add_disk(&qmp, disk("root", qemu.disk("root", 16), &layout)));
    qemu.told(qmp.call(Call::new("cont")));
    qemu.says("guest is up, boot 1");
    qemu.says("disk sda: 16 MiB");
    assert_eq!(qemu.told(vm::processors_now(&qmp)), 2);
    qemu.told(vm::add_disk(&qmp, disk("more", qemu.disk("more", 8), &layout)));
    qemu.says("disk sdb: 8 MiB");
    qemu.told(vm::remove_disk(&qmp, "more"));
    qemu.says("disk sdb is gone");
    qemu.told(vm::set_memory(&qmp, 200 << 20));
    qemu.told(qmp.call(Call::new("system_reset")));
    qemu.says("guest is up, boot 2");
}

#[test]
fn an_aarch64_finds_its_firmware() {
    if !lab::installed("qemu-system-aarch64") {
        return lab::skip("not installed: qemu-system-aarch64");
    }
    let firmware = match vm::find_firmware("aarch64", Loader::Any) {
        Ok(firmware) => firmware,
        Err(error) => return lab::skip(&error.to_string()),
    };
    let qemu = Qemu::run(&with("aarch64", Boot::Firmware(firmware)), Path::new("/none"));
    qemu.told(qemu.qmp().call(Call::new("cont")));
    qemu.says("Shell>");
}

#[test]
fn a_guest_has_the_nodes_that_its_machine_has() {
    let Some(kernel) = lab::machines::kernel() else { return };
    // This host may have one only: both are on it.
    let nodes = [vec![0, 2], vec![1, 3]].map(|cpus| Node { host: 0, cpus }).to_vec();
    let qemu = Qemu::run(&Machine { nodes, ..machine("x86_64", &kernel) }, &kernel);
    let (qmp, layout) = (qemu.qmp(), Layout::default());
    qemu.told(vm::add_disk(&qmp, disk("root", qemu.disk("root", 16), &layout)));
    qemu.told(qmp.call(Call::new("cont")));
    qemu.says("nodes: 0-1");
    qemu.says("guest is up, boot 1");
    // A processor that comes later has its node, too.
    qemu.told(vm::set_processors(&qmp, 3));
    assert_eq!(qemu.told(vm::processors_now(&qmp)), 3);
}
