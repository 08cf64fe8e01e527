//! The project's own chores: `cargo xtask <chore>`.
//!
//! Few dependencies, so that it builds in seconds. `check` never writes; `fix` does. Programs are
//! started in `shell` only.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod agent;
mod bench;
mod check;
mod demo;
mod fix;
mod packages;
mod shell;
mod stale;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
cargo xtask <chore>

  agent           the static program for virtual machines, put beside microcloud
  bench           our daemon beside LXD: [--runs N] [--write], which renews docs/benchmarks.md
  check           every check that writes nothing: tidy, format, clippy, generated files
  demo [--clean]  from a fresh machine to a shell inside a container; --clean removes all of it
  fix             format, and write the generated files anew
  test [filter..] install what the tests need, run them, count what was skipped
                  --faults [seed [runs]]: a cluster whose members break under load, by seeds (1, 10 runs)
                  --upgrade REVISION: a cluster of that revision is upgraded to this one under load
                  --scale [members [instances]]: a cluster with many of them is measured (50, 10000)
                  --soak [minutes [seed]]: a daemon under load that is killed at random, by a seed (10, 1)
                  --churn [instances]: that many come and go; nothing of them may be left (200)
                  --fuzz [seconds [target]]: tarballs, streams, options and the api get what a fuzzer makes (60 each)
                  --rig vm [file..]: files of the lab in a virtual machine with Debian's kernel and control groups v2
                  --rig ceph [word..]: the storage driver ceph with a small true Ceph
  tidy            only the checks that read the source
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False if the chore found something wrong.
fn run(args: &[String]) -> Result<bool> {
    let (chore, rest) = match args.split_first() {
        Some((chore, rest)) => (chore.as_str(), rest),
        None => ("help", args),
    };
    match chore {
        "agent" => agent::build(),
        "bench" => bench::run(rest),
        "check" => check::run(),
        "demo" => demo::run(rest),
        "fix" => fix::run(),
        "test" => test::run(rest),
        "tidy" => tidy::run(),
        _ => {
            print!("{USAGE}");
            Ok(chore == "help")
        }
    }
}
