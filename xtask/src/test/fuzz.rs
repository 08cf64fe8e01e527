//! `test --fuzz [seconds [target]]`: what comes from strangers (tarballs, lists of images, options, the API's JSON) is made
//! worse and worse by libFuzzer, which sees what code it reaches. See `fuzz/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell;

const TARGETS: [&str; 4] = ["tarball", "streams", "options", "api"];
const USUAL: u64 = 60;
/// As cargo-fuzz has them, without a sanitizer: there is no `unsafe` in what is looked at, and a stable compiler will do.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
/// Bounds on one input: MiB of memory, seconds, bytes.
const BOUNDS: [&str; 3] = ["-rss_limit_mb=1024", "-timeout=10", "-max_len=65536"];

pub(super) fn run(words: &[String]) -> Result<bool> {
    let seconds = words.first().map_or(Ok(USUAL), |text| text.parse());
    let seconds = seconds.context("seconds is a number")?;
    let place = shell::root().join("target/fuzz");
    if !built(&place)? {
        return Ok(false);
    }
    let programs = place.join(triple()).join("release");
    let mut well = true;
    let asked = |target: &&str| words.get(1).is_none_or(|word| word == target);
    for target in TARGETS.into_iter().filter(asked) {
        println!("fuzz: {target} for {seconds} seconds");
        well &= fuzzed(&place, &programs, target, seconds)?;
    }
    Ok(well)
}

/// For the machine itself, named so that build scripts get no such flags.
fn built(place: &Path) -> Result<bool> {
    let triple = triple();
    let build = ["build", "--release", "--bins", "--target", &triple];
    let mut command = shell::command(&shell::cargo_path(), &build);
    command.current_dir(shell::root().join("fuzz"));
    shell::succeeds(command.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", place))
}

fn triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

/// What it found of interest stays in `corpus`, and what goes wrong in `found`: a program given such a file shows it again.
fn fuzzed(place: &Path, programs: &Path, target: &str, seconds: u64) -> Result<bool> {
    let folder = |kind: &str| -> Result<PathBuf> {
        let folder = place.join(kind).join(target);
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(folder)
    };
    let (corpus, found) = (path(&folder("corpus")?, ""), path(&folder("found")?, ""));
    let (time, found) = (format!("-max_total_time={seconds}"), format!("-artifact_prefix={found}"));
    let seeds = path(&folder("seeds")?, "");
    let words = [&BOUNDS[..], &[&time, &found, "-print_final_stats=1", &corpus, &seeds]].concat();
    let mut command = shell::command(&path(programs, target), &words);
    command.env("FUZZ_SEEDS", &seeds);
    // Each input is unpacked: in memory, where that is possible.
    if Path::new("/dev/shm").is_dir() {
        command.env("TMPDIR", "/dev/shm");
    }
    shell::succeeds(&mut command)
}
