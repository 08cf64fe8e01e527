//! `test --rig vm [file..]`: tests of the lab inside a virtual machine with another kernel.
//!
//! ```text
//! packages ─> lab/rigs/vm.sh build, once ─> the daemon and the test files built here ─> run there ─> counted
//! ```
//!
//! The guest has control groups of version 2 alone and Debian's stock kernel, as most machines have that this is for.
//! It is emulated: tests take ten times longer there, and what waits a fixed time may fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::count::Count;
use crate::packages::{self, Needed};
use crate::shell;

const PACKAGES: [Needed; 6] = [
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("mke2fs", "e2fsprogs"),
    ("mmdebstrap", "mmdebstrap"),
    ("modprobe", "kmod"),
    ("qemu-system-x86_64", "qemu-system-x86"),
];

/// Files of the lab that are run when none is named.
const USUAL: [&str; 4] = ["limits", "boot", "first_day", "security"];

/// Runs files of the lab in a rig.
pub(super) fn run(words: &[String]) -> Result<bool> {
    let Some((rig, files)) = words.split_first() else { bail!("--rig needs a name: vm") };
    if rig != "vm" {
        bail!("there is no rig \"{rig}\": vm");
    }
    let missing = packages::ensure("test", &PACKAGES)?;
    if !missing.is_empty() {
        bail!("install these, then run it again: {}", missing.join(" "));
    }
    let usual = || USUAL.map(String::from).to_vec();
    let files = if files.is_empty() { usual() } else { files.to_vec() };
    let share = shell::root().join("target/rigs/share");
    // What an earlier run left must not be run again; the first time there is nothing.
    drop(fs::remove_dir_all(&share));
    fs::create_dir_all(&share).with_context(|| format!("make {}", share.display()))?;
    let binaries = [built(&["build", "--package", "microcloud"])?, tests(&files)?].concat();
    for binary in &binaries {
        put(binary, &share)?;
    }
    let script = share.join("run.sh");
    fs::write(&script, guest(&files)).with_context(|| format!("write {}", script.display()))?;
    if !shell::succeeds(&mut shell::as_root("env", &[&variable(), &program(), "build"])?)? {
        bail!("the rig could not be built");
    }
    let folder = share.display().to_string();
    let mut command = shell::as_root("env", &[&variable(), &program(), "run", &folder])?;
    let output = command.stderr(Stdio::inherit()).output().context("run the rig")?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let count = Count::of_output(&text);
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    Ok(output.status.success() && count.failed == 0 && count.passed > 0)
}

fn variable() -> String {
    format!("RIG={}", shell::root().join("target/rigs/vm").display())
}

fn program() -> String {
    shell::root().join("lab/rigs/vm.sh").display().to_string()
}

/// What runs in the guest.
fn guest(files: &[String]) -> String {
    let mut text = String::from("export MICROCLOUD_BIN=$PWD/microcloud\nstatus=0\n");
    text += "echo \"kernel $(uname -r), controllers: $(cat /sys/fs/cgroup/cgroup.controllers)\"\n";
    for file in files {
        text += &format!("echo 'test file {file}'; ./{file} --test-threads=1 || status=1\n");
    }
    text + "exit $status\n"
}

fn tests(files: &[String]) -> Result<Vec<PathBuf>> {
    let mut words = vec!["test", "--package", "lab", "--no-run"];
    for file in files {
        words.extend(["--test", file]);
    }
    built(&words)
}

/// Builds, and says which programs came of it.
fn built(words: &[&str]) -> Result<Vec<PathBuf>> {
    let mut command = shell::command(&shell::cargo_path(), words);
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
fn put(binary: &Path, share: &Path) -> Result<()> {
    let name = binary.file_name().unwrap_or_default().to_string_lossy();
    let plain = match name.rsplit_once('-') {
        Some((plain, hash)) if hash.len() == 16 => plain,
        _ => &*name,
    };
    let to = share.join(plain);
    let words = ["--strip-debug", "-o", &to.display().to_string(), &binary.display().to_string()];
    if !shell::succeeds(&mut shell::command("strip", &words))? {
        bail!("strip {} failed", binary.display());
    }
    Ok(())
}
