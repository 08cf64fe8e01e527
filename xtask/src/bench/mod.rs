//! `bench`: our daemon and Debian's LXD 5.0.2 in one go, on the same images, and the kernel's floor.
//!
//! ```text
//! packages ─> build ─> two daemons, each in namespaces of its own ─> the same images in both
//!     ─> lives of instances, in turns ─> starts of the daemons, in turns ─> many instances ─> table
//! ```
//!
//! The stock client drives both, so that like is compared with like; our own client is one column
//! more. All of it lies in one folder and in namespaces that end with it, also when a step fails.

mod beside;
mod figures;
mod files;
mod floor;
mod groups;
mod images;
mod lives;
mod lxd;
mod machines;
mod many;
mod memory;
mod peer;
mod place;
mod report;
mod samples;
mod sandbox;
mod services;
mod starts;
mod stores;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};

use crate::packages::{self, Needed};
use crate::shell;
use groups::Groups;
use peer::Peer;
use place::Place;
use report::Report;

const PACKAGES: [Needed; 19] = [
    ("busybox", "busybox-static"),
    ("cc", "build-essential"),
    ("curl", "curl"),
    ("ip", "iproute2"),
    ("lxc", "lxd-client"),
    ("lxd-benchmark", "lxd-tools"),
    ("cpio", "cpio"),
    ("depmod", "kmod"),
    ("mcopy", "mtools"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("nginx", "nginx-light"),
    ("qemu-img", "qemu-utils"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("sysctl", "procps"),
    ("xorriso", "xorriso"),
    ("tar", "tar"),
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
];

/// Names the program in place of the one that would be built.
const BINARY: &str = "MICROCLOUD_BIN";
/// A measurement waits this long for others on the machine to be quiet.
const QUIET: Duration = Duration::from_secs(120);

/// What a reader should know about the table, kept beside the code that makes it.
const WORDS: &str = include_str!("words.md");

/// What the command line says.
struct Wish {
    runs: usize,
    write: bool,
}

pub(crate) fn run(args: &[String]) -> Result<bool> {
    let wish = wish(args)?;
    let before = files::pids();
    let missing = packages::ensure("bench", &PACKAGES)?;
    services::stop_new(&before, &["nginx.service"])?;
    if !missing.is_empty() {
        bail!("install these, then run it again: {}", missing.join(" "));
    }
    let binary = binary()?;
    if !packages::is_root()? {
        let own = env::current_exe().context("find this program")?;
        let variable = format!("{BINARY}={}", binary.display());
        let own = own.to_string_lossy();
        let words = [&[&*variable, &*own, "bench"], &*strs(args)].concat();
        return shell::succeeds(&mut shell::as_root("env", &words)?);
    }
    let lxd = lxd::install()?;
    let report = measure(&wish, binary, lxd)?;
    println!("\n{}", report.terminal());
    if wish.write {
        let path = shell::root().join("docs/benchmarks.md");
        fs::write(&path, report.page(WORDS))
            .with_context(|| format!("write {}", path.display()))?;
        say(&format!("written to {}", path.display()));
    }
    Ok(true)
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn wish(args: &[String]) -> Result<Wish> {
    let mut wish = Wish { runs: 9, write: false };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--runs" => {
                let runs = words.next().and_then(|word| word.parse().ok());
                wish.runs = runs.filter(|runs| *runs > 0).context("--runs needs a number")?;
            }
            "--write" => wish.write = true,
            _ => bail!("cargo xtask bench [--runs N] [--write]"),
        }
    }
    Ok(wish)
}

fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os(BINARY) {
        return Ok(path.into());
    }
    say("building");
    // As it is given to people: tests and the demo have one that is built quickly.
    let built = shell::built("release")?;
    let well = shell::cargo(&["build", "--release", "--package", "microcloud"], &[])?;
    if !well || !crate::agent::build_beside(&built)? {
        bail!("the build failed");
    }
    Ok(built)
}

fn measure(wish: &Wish, binary: PathBuf, lxd: Option<String>) -> Result<Report> {
    // Dropped in reverse: first the daemons with their namespaces.
    let place = Place::new()?;
    let mut groups = Groups::new();
    let ours = place.keep(&binary, "microcloud")?;
    place.keep(&binary.with_file_name("microcloud-agent"), "microcloud-agent")?;
    let floor = floor::measure(&place, 200)?;
    let images = images::prepare(&place, &ours, &mut groups)?;
    let mut peers = vec![Peer::ours(&place, &ours, &mut groups)?];
    if lxd.is_some() {
        peers.insert(0, Peer::lxd(&place)?);
    }
    for peer in &mut peers {
        say(&format!("setting up {}", peer.name));
        peer.start()?;
        peer.set_up()?;
        images.import(peer)?;
    }
    wait_quiet()?;
    let program = program(&binary);
    let mut report = Report::new(&program, lxd.as_deref(), floor)?;
    lives::measure(&peers, wish.runs, report.figures())?;
    stores::measure(&peers, &place, wish.runs, report.figures())?;
    report.beside(beside::measure(&peers, &place, wish.runs)?);
    starts::measure(&mut peers, wish.runs, report.figures())?;
    many::measure(&peers, report.figures())?;
    report.finish()?;
    for peer in &mut peers {
        peer.stop()?;
    }
    Ok(report)
}

/// How the program was built, by where it lies.
fn program(binary: &Path) -> String {
    let folder = binary.parent().and_then(Path::file_name).unwrap_or_default();
    format!("build profile {}", folder.display())
}

/// Waits for a load beneath one; goes on after a while, as the report says the load.
fn wait_quiet() -> Result<()> {
    let end = Instant::now() + QUIET;
    while load()? > 1.0 && Instant::now() < end {
        thread::sleep(Duration::from_secs(2));
    }
    Ok(())
}

/// How many processes wanted to run, on the average of the last minute.
fn load() -> Result<f64> {
    let text = files::read("/proc/loadavg")?;
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    first.with_context(|| format!("/proc/loadavg says {text:?}"))
}

fn say(words: &str) {
    println!("bench: {words}");
}
