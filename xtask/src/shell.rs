//! Starts other programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages;

/// A command in the root of the repository.
#[allow(clippy::disallowed_methods, reason = "xtask is a tool of developers, not the daemon")]
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// A command that runs as root: through sudo, unless this is root.
pub(crate) fn as_root(program: &str, args: &[&str]) -> Result<Command> {
    if packages::is_root()? {
        return Ok(command(program, args));
    }
    if !installed("sudo") {
        bail!("this needs root, and there is no sudo: run it as root");
    }
    Ok(command("sudo", &[&[program], args].concat()))
}

/// Runs cargo of the toolchain in use, its output on the terminal; true if it succeeds.
pub(crate) fn cargo(args: &[&str], env: &[(&str, &str)]) -> Result<bool> {
    succeeds(command(&cargo_path(), args).envs(env.iter().copied()))
}

/// Runs a command, its output on the terminal; true if it succeeds.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command.status().with_context(|| format!("run {}", shown(command)))?;
    Ok(status.success())
}

/// What a command prints.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<String> {
    printed(command(program, args))
}

/// What a command prints that was made already.
pub(crate) fn printed(mut command: Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {}", shown(&command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", shown(&command), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("output of {}", shown(&command)))
}

/// Cargo of the toolchain in use.
pub(crate) fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Whether a program is on the path or beside the administrator's.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

/// The program that `cargo build -p microcloud` makes.
pub(crate) fn microcloud() -> Result<PathBuf> {
    built("debug")
}

/// The same of a profile, by its folder.
pub(crate) fn built(profile: &str) -> Result<PathBuf> {
    let args = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let metadata: serde_json::Value =
        serde_json::from_str(&output(&cargo_path(), &args)?).context("read cargo metadata")?;
    let folder = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(Path::new(folder).join(profile).join("microcloud"))
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
