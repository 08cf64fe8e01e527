//! `test`: runs the whole suite and counts honestly.
//!
//! A test that cannot run here prints `SKIP: why` and returns; it counts as skipped, not as passed.
//! Arguments go to the test runner: names to filter by, `-p crate`. Tests run as root, through sudo
//! where needed, because much of what they test is only there for root.

mod churn;
mod count;
mod faults;
mod fuzz;
mod junit;
mod plug;
mod rig;
mod scale;
mod script;
mod soak;
mod upgrade;

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{agent, packages, shell};
use count::Count;

/// Where nextest writes its report, as `.config/nextest.toml` says.
const REPORT: &str = "target/nextest/default/junit.xml";

pub(crate) fn run(filters: &[String]) -> Result<bool> {
    if let Some(words) = filters.strip_prefix(&[String::from("--rig")]) {
        return rig::run(words);
    }
    if let Some(words) = filters.strip_prefix(&[String::from("--fuzz")]) {
        return fuzz::run(words);
    }
    packages::install()?;
    if let Some(words) = filters.strip_prefix(&[String::from("--faults")]) {
        return Ok(build()? && faults::run(words)?);
    }
    if let Some(words) = filters.strip_prefix(&[String::from("--upgrade")]) {
        return Ok(build()? && upgrade::run(words)?);
    }
    if let [flag] = filters
        && let Some(name) = script::NAMES.iter().find(|name| flag.strip_prefix("--") == Some(name))
    {
        return Ok(build()? && script::run(name)?);
    }
    if let Some(words) = filters.strip_prefix(&[String::from("--scale")]) {
        return Ok(build()? && scale::run(words)?);
    }
    if let Some(words) = filters.strip_prefix(&[String::from("--soak")]) {
        return Ok(build()? && soak::run(words)?);
    }
    if let Some(words) = filters.strip_prefix(&[String::from("--churn")]) {
        return Ok(build()? && churn::run(words)?);
    }
    let mut count = Count::default();
    let built = !needs_programs(filters) || build()?;
    if built {
        count.add(suite(filters)?);
        if filters.is_empty() {
            count.add(doc_tests()?);
        }
    } else {
        println!("test: the build failed");
    }
    for (why, tests) in &count.reasons {
        println!("SKIP {tests} x {why}");
    }
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    Ok(built && count.failed == 0)
}

/// The lab starts the programs; a crate's own tests do not.
fn needs_programs(filters: &[String]) -> bool {
    !names_packages(filters) || filters.iter().any(|word| word.ends_with("lab"))
}

fn names_packages(filters: &[String]) -> bool {
    filters.iter().any(|word| word.starts_with("-p") || word.starts_with("--package"))
}

fn build() -> Result<bool> {
    Ok(shell::cargo(&["build", "--workspace", "--bins", "--features", "testing"], &[])?
        && agent::build()?)
}

/// Runs tests of the lab whose names hold `filter`, one after the other, their output on the terminal.
fn lab(filter: &str, env: &[(&str, &str)]) -> Result<bool> {
    let test = ["test", "--workspace", "--features", "testing", "--test", "suite"];
    let run = ["--", "--nocapture", "--test-threads", "1", filter];
    shell::cargo(&[&test[..], &run[..]].concat(), env)
}

fn suite(filters: &[String]) -> Result<Count> {
    if shell::installed("cargo-nextest") { nextest(filters) } else { cargo_test(filters) }
}

fn nextest(filters: &[String]) -> Result<Count> {
    let report = shell::root().join(REPORT);
    // A report of an earlier run must not be counted; usually there is none.
    drop(fs::remove_file(&report));
    let mut command = shell::command(&shell::cargo_path(), &["nextest", "run", "--no-fail-fast"]);
    let well = shell::succeeds(as_root(scope(&mut command, filters))?)?;
    let Ok(text) = fs::read_to_string(&report) else {
        return Ok(if well { Count::default() } else { Count::broken() });
    };
    let count = junit::count(&text);
    Ok(if well || count.failed > 0 { count } else { Count::broken() })
}

fn cargo_test(filters: &[String]) -> Result<Count> {
    let mut command = shell::command(&shell::cargo_path(), &["test", "--no-fail-fast"]);
    scope(&mut command, filters).args(["--lib", "--bins", "--tests", "--", "--nocapture"]);
    counted(as_root(&mut command)?)
}

fn doc_tests() -> Result<Count> {
    let args = ["test", "--workspace", "--features", "testing", "--doc"];
    counted(shell::command(&shell::cargo_path(), &args).args(["--no-fail-fast", "--quiet"]))
}

/// Runs it and counts by its output.
fn counted(command: &mut Command) -> Result<Count> {
    let output = command.output().context("run cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let count = Count::of_output(&text);
    if !output.status.success() {
        println!("{text}");
    }
    Ok(if output.status.success() || count.failed > 0 { count } else { Count::broken() })
}

/// The whole workspace unless the arguments name crates.
fn scope<'a>(command: &'a mut Command, filters: &[String]) -> &'a mut Command {
    if !names_packages(filters) {
        // As what the lab starts: else all of it would be built twice.
        command.args(["--workspace", "--features", "testing"]);
    }
    command.args(filters)
}

/// Builds as the user, runs as root.
fn as_root(command: &mut Command) -> Result<&mut Command> {
    if packages::is_root()? || !shell::installed("sudo") {
        return Ok(command);
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let variable = format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace('-', "_"));
    Ok(command.env(variable, "sudo --preserve-env"))
}
