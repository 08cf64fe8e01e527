//! `test --rig <name> [word..]`: tests inside a machine with another kernel.
//!
//! ```text
//! packages ─> lab/rigs/<name>.sh build, once ─> the daemon and the test files built here ─> run there ─> counted
//! ```
//!
//! `vm` has control groups of version 2 alone and Debian's stock kernel, as most machines have that this is for. It is
//! emulated: tests take ten times longer there, and what waits a fixed time may fail. `uml` is an ordinary process with
//! what kernels of containers lack: device mapper, project quotas. `zfs` is `vm` with ZFS, `arm` an aarch64. `ceph` is this
//! machine, in a mount namespace with a small true Ceph.
//!
//! Words are files of the lab; others, in `uml`, `zfs` and `ceph`, choose tests of the crate `storage`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::count::Count;
use super::plug;
use crate::packages::{self, Needed};
use crate::{agent, shell};

/// A machine to test in.
pub(super) struct Rig {
    name: &'static str,
    packages: &'static [Needed],
    /// Files of the lab that are run when nothing is named.
    usual: &'static [&'static str],
    /// Whether tests of the crate `storage` are run: all of them when nothing is named.
    storage: bool,
    /// The one driver whose laws are tried, where the others would take too long.
    laws: Option<&'static str>,
    /// Whether its processor is another: then its script has a compiler.
    cross: bool,
    /// Other crates whose tests are run when nothing is named.
    crates: &'static [&'static str],
    /// Whether virtual machines run in it, with their agent.
    machines: bool,
}

/// What emulating a machine needs.
const EMULATOR: &[Needed] = &[
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("mke2fs", "e2fsprogs"),
    ("mmdebstrap", "mmdebstrap"),
    ("modprobe", "kmod"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("lxc", "lxd-client"),
];

/// The same of another processor.
const EMULATOR_OF_ARM: &[Needed] = &[
    ("cpio", "cpio"),
    ("mke2fs", "e2fsprogs"),
    ("mmdebstrap", "mmdebstrap"),
    ("modprobe", "kmod"),
    ("qemu-system-aarch64", "qemu-system-arm"),
];

/// Its script installs the servers of Ceph.
const CEPH: &[Needed] = &[
    ("losetup", "mount"),
    ("python3", "python3-minimal"),
    ("unshare", "util-linux"),
    ("lxc", "lxd-client"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
];

static RIGS: [Rig; 5] = [
    Rig {
        name: "vm",
        packages: EMULATOR,
        usual: &["limits", "boot", "first_day", "security"],
        storage: false,
        ..PLAIN
    },
    Rig {
        name: "uml",
        packages: &[("lxc", "lxd-client"), ("mmdebstrap", "mmdebstrap")],
        usual: &["lvm"],
        storage: true,
        ..PLAIN
    },
    Rig {
        name: "zfs",
        packages: EMULATOR,
        usual: &["zfs"],
        storage: true,
        laws: Some("zfs"),
        ..PLAIN
    },
    Rig {
        name: "ceph",
        packages: CEPH,
        usual: &["healing", "shared_crash", "shared_machines"],
        storage: true,
        laws: Some("ceph"),
        machines: true,
        ..PLAIN
    },
    Rig {
        name: "arm",
        packages: EMULATOR_OF_ARM,
        usual: &["first_day", "security"],
        cross: true,
        crates: &["sys", "runtime"],
        ..PLAIN
    },
];

const PLAIN: Rig = Rig {
    name: "",
    packages: &[],
    usual: &[],
    storage: false,
    laws: None,
    cross: false,
    crates: &[],
    machines: false,
};

/// What is run there.
#[derive(Default)]
pub(super) struct Chosen {
    /// Files of the lab.
    files: Vec<String>,
    /// Words that choose tests of the crate `storage`; None where none of it are run.
    storage: Option<Vec<String>>,
    /// Other crates.
    crates: &'static [&'static str],
}

impl Chosen {
    /// Tests of the crate `storage` with that word in their names.
    pub(super) fn storage(word: &str) -> Chosen {
        Chosen { storage: Some(vec![word.to_owned()]), ..Chosen::default() }
    }

    /// A file of the lab.
    pub(super) fn file(name: &str) -> Chosen {
        Chosen { files: vec![name.to_owned()], ..Chosen::default() }
    }

    fn of(rig: &Rig, words: &[String]) -> Chosen {
        let is_file = |word: &str| shell::root().join(format!("lab/tests/{word}.rs")).exists();
        if words.is_empty() {
            let files = rig.usual.iter().filter(|file| is_file(file));
            let files = files.map(|file| String::from(*file)).collect();
            return Chosen { files, storage: rig.storage.then(Vec::new), crates: rig.crates };
        }
        let (files, words): (Vec<String>, Vec<String>) =
            words.iter().cloned().partition(|word| !rig.storage || is_file(word));
        Chosen { files, storage: (!words.is_empty()).then_some(words), crates: &[] }
    }

    /// Builds it, and gives back the programs.
    fn build(&self, rig: &Rig) -> Result<Vec<PathBuf>> {
        let mut programs = Vec::new();
        if !self.files.is_empty() {
            let program = rig.built(&["build", "--package", "microcloud"])?;
            if rig.machines {
                if !agent::build()? {
                    bail!("the agent could not be built");
                }
                programs.push(shell::microcloud()?.with_file_name(agent::NAME));
            }
            programs.extend(program);
            let suite = ["test", "--package", "lab", "--no-run", "--test", "suite"];
            programs.extend(rig.built(&suite)?);
        }
        let storage = self.storage.is_some().then_some("storage");
        for name in storage.iter().chain(self.crates) {
            programs.extend(rig.built(&["test", "--package", name, "--lib", "--no-run"])?);
        }
        Ok(programs)
    }

    /// What runs in the guest.
    fn script(&self, rig: &Rig) -> String {
        // What was skipped is said there.
        let mut text = String::from("exec 2>&1\nexport MICROCLOUD_BIN=$PWD/microcloud\nstatus=0\n");
        if rig.storage {
            text += "[ ! -e guest/kernel ] || export MICROCLOUD_GUEST=$PWD/guest\n";
        }
        if let Some(driver) = rig.laws {
            text += &format!("export LAWS_OF={driver}\n");
        }
        text +=
            "echo \"kernel $(uname -r), controllers: $(cat /sys/fs/cgroup/cgroup.controllers)\"\n";
        if let Some(words) = &self.storage {
            // One after the other: their pools are on one disk, and the guest has one processor.
            text += "echo 'tests of storage'; ./storage --test-threads=1 --nocapture ";
            text += &format!("{} || status=1\n", words.join(" "));
        }
        for name in self.crates {
            text += &format!("echo 'tests of {name}'; ./{name} --nocapture || status=1\n");
        }
        for file in &self.files {
            text += &format!(
                "echo 'test file {file}'; ./suite --test-threads=1 --nocapture {file}:: || status=1\n"
            );
        }
        text + "exit $status\n"
    }
}

/// Runs what words choose in a rig.
pub(super) fn run(words: &[String]) -> Result<bool> {
    let known = || RIGS.iter().map(|rig| rig.name).collect::<Vec<_>>().join(", ");
    let Some((name, words)) = words.split_first() else { bail!("--rig needs a name: {}", known()) };
    let Some(rig) = RIGS.iter().find(|rig| rig.name == name) else {
        bail!("there is no rig \"{name}\": {}", known());
    };
    let missing = packages::ensure("test", rig.packages)?;
    if !missing.is_empty() {
        bail!("install these, then run it again: {}", missing.join(" "));
    }
    if !shell::succeeds(&mut shell::as_root("env", &[&rig.variable(), &rig.program(), "build"])?)? {
        bail!("the rig could not be built");
    }
    if let Some((_, rounds)) =
        words.split_first().filter(|(word, _)| rig.storage && *word == "plug")
    {
        return plug::run(rig, rounds);
    }
    let share = share(rig, &Chosen::of(rig, words))?;
    let (text, well) = shown(&mut rig.command(&[], &share)?).context("run the rig")?;
    let count = Count::of_output(&text);
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    Ok(well && count.failed == 0 && count.passed > 0)
}

/// Runs a command, its output on the terminal as it comes; gives that back, and whether it succeeded.
pub(super) fn shown(command: &mut Command) -> Result<(String, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut text = String::new();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).split(b'\n')) {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        text += &line;
        text.push('\n');
    }
    Ok((text, child.wait()?.success()))
}

/// A folder with all that runs in the guest.
pub(super) fn share(rig: &Rig, chosen: &Chosen) -> Result<PathBuf> {
    let share = shell::root().join("target/rigs").join(rig.name).with_extension("share");
    // What an earlier run left must not be run again; the first time there is nothing.
    drop(fs::remove_dir_all(&share));
    fs::create_dir_all(&share).with_context(|| format!("make {}", share.display()))?;
    for binary in &chosen.build(rig)? {
        rig.put(binary, &share)?;
    }
    let script = share.join("run.sh");
    fs::write(&script, chosen.script(rig))
        .with_context(|| format!("write {}", script.display()))?;
    // The guest's packages may have no client of this kind, and it has no network to make a machine's kernel with.
    if rig.storage && !chosen.files.is_empty() {
        let (folder, script) = (share.join("guest"), shell::root().join("lab/rigs/guest.sh"));
        fs::create_dir_all(&folder).context("make the folder of the machine's kernel")?;
        let folder = folder.to_string_lossy();
        if !shell::succeeds(&mut shell::command(&script.to_string_lossy(), &[&folder]))? {
            println!("test: no kernel for machines could be had; their tests will be skipped");
        }
    }
    if rig.storage {
        fs::create_dir_all(share.join("bin")).context("make the folder of programs")?;
    }
    if rig.storage && !chosen.files.is_empty() {
        fs::copy("/usr/bin/lxc", share.join("bin/lxc")).context("copy lxc")?;
    }
    Ok(share)
}

impl Rig {
    /// Runs `run.sh` of a folder in it, with more variables for its script.
    pub(super) fn command(&self, more: &[&str], share: &Path) -> Result<Command> {
        let (variable, program) = (self.variable(), self.program());
        let own: [&str; 3] = [&program, "run", &share.to_string_lossy()];
        shell::as_root("env", &[&[variable.as_str()], more, &own].concat())
    }

    /// What the test of a pulled plug must know of it.
    pub(super) fn plug(&self) -> String {
        let driver = self.laws.map(|driver| {
            let log = "PLUG_LOG=/dev/virtio-ports/plug PLUG_KNOWN=$PWD/plug.log";
            format!(" LAWS_OF={driver} PLUG_DISK=/dev/vdd {log}")
        });
        driver.unwrap_or_default()
    }

    /// Its tree is kept from run to run. `RIG` in our own environment says where, so that worktrees share one.
    fn variable(&self) -> String {
        let usual = || shell::root().join("target/rigs").join(self.name).display().to_string();
        format!("RIG={}", std::env::var("RIG").unwrap_or_else(|_| usual()))
    }

    fn program(&self) -> String {
        shell::root().join(format!("lab/rigs/{}.sh", self.name)).display().to_string()
    }

    /// Cargo for the processor that it has.
    fn cargo(&self, words: &[&str]) -> Result<Command> {
        if !self.cross {
            return Ok(shell::command(&shell::cargo_path(), words));
        }
        let (variable, program) = (self.variable(), self.program());
        shell::as_root("env", &[&[variable.as_str(), &program, "cargo"], words].concat())
    }

    /// Builds, and says which programs came of it.
    fn built(&self, words: &[&str]) -> Result<Vec<PathBuf>> {
        let mut command = self.cargo(words)?;
        command.args(["--message-format", "json-render-diagnostics"]);
        let output = command.stderr(Stdio::inherit()).output().context("run cargo")?;
        if !output.status.success() {
            bail!("the build failed");
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let message = |line| serde_json::from_str::<Value>(line).ok();
        let program = |message: Value| message["executable"].as_str().map(PathBuf::from);
        Ok(text.lines().filter_map(message).filter_map(program).collect())
    }

    /// Copies a program under its plain name, without what a debugger needs: the guest's disk is small.
    fn put(&self, binary: &Path, share: &Path) -> Result<()> {
        let name = binary.file_name().unwrap_or_default().to_string_lossy();
        let plain = match name.rsplit_once('-') {
            Some((plain, hash)) if hash.len() == 16 => plain,
            _ => &*name,
        };
        let to = share.join(plain);
        if self.cross {
            // It was built without.
            fs::copy(binary, &to).with_context(|| format!("copy {}", binary.display()))?;
            return Ok(());
        }
        let words =
            ["--strip-debug", "-o", &to.display().to_string(), &binary.display().to_string()];
        if !shell::succeeds(&mut shell::command("strip", &words))? {
            bail!("strip {} failed", binary.display());
        }
        Ok(())
    }
}
