//! sshfs, with a connection of ours in place of ssh: it mounts what an SFTP server at the other end has.
//!
//! It has our terminal, so ctrl-c there unmounts, and no time limit.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::find::find;

/// Mounts `path` of the server, which is called `name`, and waits until it is unmounted.
#[expect(clippy::disallowed_methods, reason = "this is the one place that starts programs")]
pub fn mount(name: &str, path: &str, target: &Path, server: OwnedFd) -> Result<()> {
    let command = format!("sshfs {name}:{path} {}", target.display());
    let fault = |source| Error::Start { command: command.clone(), source };
    let program = find("sshfs").ok_or(Error::Missing { program: "sshfs", package: "sshfs" })?;
    let other = server.try_clone().map_err(fault)?;
    let status = Command::new(program)
        .args(["-f", "-o", "slave", &format!("{name}:{path}")])
        .arg(target)
        .stdin(Stdio::from(server))
        .stdout(Stdio::from(other))
        .status()
        .map_err(fault)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { command, status, stderr: String::new() })
}
