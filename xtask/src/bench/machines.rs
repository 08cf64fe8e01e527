//! A virtual machine beside bare QEMU with the same board, kernel and disk; and `exec` in one beside `exec` in a
//! container. LXD has none here: it needs a KVM that works.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::beside::Beside;
use super::peer::{Client, Peer};
use super::place::Place;
use super::{files, say};
use crate::shell;

/// How often is looked whether something is there.
const LOOK: Duration = Duration::from_millis(1);
/// A boot under QEMU's translator.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the small machine says when its programs run.
const UP: &str = "guest is up";
const NAME: &str = "machine";
/// The container.
const BESIDE: &str = "beside";
const MEMORY: &str = "256";
/// Where our QEMU sees its files.
const SEES: &str = "/run/vm";
/// The machine with all that others have, and what it says.
const WHOLE: &str = "whole";
const WHOLE_UP: &str = "the installed system is up";

pub(super) fn measure(peer: &Peer, place: &Place, runs: usize) -> Result<Vec<Beside>> {
    say("virtual machines");
    let guest = place.path().join("guest");
    fs::create_dir_all(&guest).context("make the folder of a machine's kernel")?;
    let script = shell::root().join("lab/rigs/guest.sh");
    let made = &mut shell::command(&script.to_string_lossy(), &[&guest.to_string_lossy()]);
    if !shell::succeeds(made)? {
        bail!("no kernel for a machine could be had");
    }
    import(peer, place, &guest)?;
    import_whole(peer, place, &guest)?;
    let words = "`start` of a virtual machine until QEMU runs (bare QEMU, same arguments)";
    let mut starts = Beside::new(words, None);
    let mut boots = Beside::new("the same until its first program runs (bare QEMU)", None);
    let words = "the same with UEFI and a boot loader on its disk (its kernel alone)";
    let mut firmware = Beside::new(words, None);
    let mut exec = Beside::new("`exec -- true` in a virtual machine (in a container)", None);
    peer.must(Client::Own, &["launch", "local:busybox", BESIDE])?;
    peer.must(Client::Own, &["start", NAME])?;
    let arguments = arguments(place, &guest)?;
    peer.must(Client::Own, &["stop", NAME, "--force"])?;
    for _ in 0..runs {
        let (start, boot) = bare(place, &arguments)?;
        starts.plain.add_time(start);
        boots.plain.add_time(boot);
        let start = Instant::now();
        starts.ours.add_time(peer.timed(Client::Own, &["start", NAME])?);
        wait(&|| Ok(peer.says(Client::Own, &["console", NAME, "--show-log"])?.contains(UP)))?;
        let took = start.elapsed();
        boots.ours.add_time(took);
        firmware.plain.add_time(took);
        let inside = ["exec", NAME, "--", "true"];
        // The agent comes a moment later.
        wait(&|| Ok(peer.timed(Client::Own, &inside).is_ok()))?;
        for _ in 0..5 {
            exec.ours.add_time(peer.timed(Client::Own, &inside)?);
            exec.plain.add_time(peer.timed(Client::Own, &["exec", BESIDE, "--", "true"])?);
        }
        peer.must(Client::Own, &["stop", NAME, "--force"])?;
        let start = Instant::now();
        peer.must(Client::Own, &["start", WHOLE])?;
        wait(&|| {
            Ok(peer.says(Client::Own, &["console", WHOLE, "--show-log"])?.contains(WHOLE_UP))
        })?;
        firmware.ours.add_time(start.elapsed());
        // It ends by itself.
        wait(&|| Ok(peer.says(Client::Own, &["list", WHOLE])?.contains("STOPPED")))?;
    }
    peer.must(Client::Own, &["delete", BESIDE, NAME, WHOLE, "--force"])?;
    Ok(vec![starts, boots, firmware, exec])
}

/// Makes an image of the kernel and an empty disk, and a machine of it.
fn import(peer: &Peer, place: &Place, guest: &Path) -> Result<()> {
    place.write("machine/metadata.yaml", "architecture: x86_64\ncreation_date: 1\n")?;
    let (boot, main) = (place.path().join("machine/boot"), place.path().join("machine.tar"));
    fs::create_dir_all(&boot).context("make a folder")?;
    for name in ["kernel", "initrd", "cmdline"] {
        fs::copy(guest.join(name), boot.join(name)).context("copy a kernel")?;
    }
    let folder = place.path().join("machine").to_string_lossy().into_owned();
    let main = main.to_string_lossy();
    let disk = disk(place).to_string_lossy().into_owned();
    let packed = ["--create", "--file", &main, "--directory", &folder, "metadata.yaml", "boot"];
    let raw = ["create", "-q", "-f", "qcow2", &disk, "16M"];
    for (program, words) in [("tar", &packed[..]), ("qemu-img", &raw)] {
        if !shell::succeeds(&mut shell::command(program, words))? {
            bail!("{program} failed");
        }
    }
    peer.must(Client::Own, &["image", "import", &main, &disk, "--alias", "machine"])?;
    let memory = format!("limits.memory={MEMORY}MiB");
    peer.must(Client::Own, &["create", "machine", NAME, "--vm", "--config", &memory])
}

/// Makes an image of a disk with a boot loader, and a machine of it.
fn import_whole(peer: &Peer, place: &Place, guest: &Path) -> Result<()> {
    place.write("whole/metadata.yaml", "architecture: x86_64\ncreation_date: 1\n")?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let (guest, disc, raw) = (guest.to_string_lossy(), at("disc.iso"), at("whole.img"));
    let (main, disk, folder) = (at("whole.tar"), at("whole.qcow2"), at("whole"));
    let script = shell::root().join("lab/rigs/disc.sh");
    let packed = ["--create", "--file", &main, "--directory", &folder, "metadata.yaml"];
    let converted = ["convert", "-q", "-f", "raw", "-O", "qcow2", &raw, &disk];
    for (program, words) in [
        (&*script.to_string_lossy(), &[&*guest, &disc, &raw][..]),
        ("tar", &packed),
        ("qemu-img", &converted),
    ] {
        if !shell::succeeds(&mut shell::command(program, words))? {
            bail!("{program} failed");
        }
    }
    peer.must(Client::Own, &["image", "import", &main, &disk, "--alias", WHOLE])?;
    let memory = format!("limits.memory={MEMORY}MiB");
    let without = "security.secureboot=false";
    peer.must(Client::Own, &["create", WHOLE, WHOLE, "--vm", "-c", &memory, "-c", without])
}

fn disk(place: &Place) -> PathBuf {
    place.path().join("machine.qcow2")
}

/// The arguments of the QEMU that runs our machine now, with what it sees of the server in a folder of `place`.
fn arguments(place: &Place, guest: &Path) -> Result<Vec<String>> {
    let ours = format!("{NAME},process=microcloud-vm");
    let mut all =
        fs::read_dir("/proc").context("list processes")?.flatten().filter_map(|process| {
            let line = fs::read(process.path().join("cmdline")).ok()?;
            let words = line
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned());
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            words.contains(&ours).then_some(words)
        });
    let words = all.next().context("no QEMU of ours runs")?;
    let sees = place.path().join("bare");
    for folder in ["io", "drive"] {
        fs::create_dir_all(sees.join(folder)).context("make a folder for QEMU")?;
    }
    std::os::unix::fs::symlink(guest, sees.join("boot")).context("link a kernel")?;
    let sees = sees.to_string_lossy();
    Ok(words[1..].iter().map(|word| word.replace(SEES, &sees)).collect())
}

/// Starts QEMU with the arguments of ours, and nothing about it: until it runs, and until its first program does.
fn bare(place: &Place, arguments: &[String]) -> Result<(Duration, Duration)> {
    let (socket, log) = (place.path().join("bare/io/qmp.sock"), place.path().join("bare.log"));
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = fs::File::create(&log).context("make a log")?;
    let start = Instant::now();
    let mut command = shell::command("qemu-system-x86_64", &words);
    let child = command.stdin(Stdio::null()).stdout(output).spawn().context("start QEMU")?;
    let _ended = Ended(child);
    wait(&|| Ok(UnixStream::connect(&socket).is_ok_and(|stream| go(stream).is_ok())))?;
    let runs = start.elapsed();
    wait(&|| Ok(files::read(&log)?.contains(UP)))?;
    Ok((runs, start.elapsed()))
}

/// Lets a machine go.
fn go(mut stream: UnixStream) -> Result<()> {
    let mut answers = BufReader::new(stream.try_clone()?).lines();
    answers.next().context("no greeting")??;
    for command in ["qmp_capabilities", "cont"] {
        writeln!(stream, "{{\"execute\": \"{command}\"}}")?;
        while !answers.next().context("no answer")??.contains("\"return\"") {}
    }
    Ok(())
}

fn wait(done: &dyn Fn() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > end {
            bail!("a machine did not come up");
        }
        sleep(LOOK);
    }
    Ok(())
}

/// A program that ends with it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}
