//! Removing what a killed monitor left behind.

use std::{fs, io::ErrorKind, path::Path};

use rustix::fs::{FlockOperation, flock};
use spec::InstanceSpec;

use super::{EXIT_FILE, last_exit, write_exit};
use crate::{
    Error, ExitReason,
    cgroup::{Group, Layout},
    error::{At, Result},
    protocol::SOCKET,
};

/// Its specification's name in the run folder.
pub(crate) const SPEC_FILE: &str = "spec.json";

/// Cleans up after the instance whose folder is `run_dir`: kills what still runs of it, removes its
/// control groups and socket, and records [`ExitReason::Lost`] if no exit was. May be repeated.
/// Fails with [`Error::Running`] if its monitor lives.
pub fn cleanup(run_dir: &Path) -> Result<()> {
    match fs::read(run_dir.join(SPEC_FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => {
            let bytes = result.at("read", run_dir.join(SPEC_FILE))?;
            match serde_json::from_slice(&bytes) {
                // It was not written to its end, for want of space or power: nothing was started by it.
                Err(error) if error.is_eof() => remove(run_dir, SPEC_FILE),
                spec => cleanup_spec(&spec?),
            }
        }
    }
}

fn remove(run_dir: &Path, name: &str) -> Result<()> {
    match fs::remove_file(run_dir.join(name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).at("remove", run_dir.join(name))
        }
        _ => Ok(()),
    }
}

/// The same for a specification that the caller still has.
pub fn cleanup_spec(spec: &InstanceSpec) -> Result<()> {
    let folder = match fs::File::open(&spec.run_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        result => Some(result.at("open", &spec.run_dir)?),
    };
    if let Some(folder) = &folder
        && flock(folder, FlockOperation::NonBlockingLockExclusive).is_err()
    {
        return Err(Error::Running { run_dir: spec.run_dir.display().to_string() });
    }
    let group = Group::of(&Layout::detect()?, spec);
    let killed = group.kill();
    let removed = group.remove();
    if folder.is_some() {
        let ended = last_exit(&spec.run_dir).map_or(0, |(generation, _)| generation);
        if ended < spec.generation || !spec.run_dir.join(EXIT_FILE).exists() {
            write_exit(&spec.run_dir, spec.generation, ExitReason::Lost)?;
        }
        for name in [SOCKET, SPEC_FILE] {
            remove(&spec.run_dir, name)?;
        }
    }
    killed.and(removed)
}
