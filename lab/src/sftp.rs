//! OpenSSH's SFTP client, past our own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{Background, Client, Daemon, Run, program};

/// What `sftp -D` starts: our client, which speaks SFTP with one instance.
#[track_caller]
pub fn door(daemon: &Daemon, name: &str) -> PathBuf {
    let path = daemon.scratch().join(format!("door-{name}"));
    let client = daemon.command(Client::Cli);
    let program = client.get_program().to_string_lossy().into_owned();
    let env = client.get_envs().filter_map(|(key, value)| {
        Some(format!("export {}='{}'\n", key.to_string_lossy(), value?.to_string_lossy()))
    });
    let env: String = env.collect();
    let text = format!("#!/bin/sh\n{env}exec {program} file mount {name} --stdio\n");
    write(&path, &text).unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
    path
}

/// Runs lines of commands; the first that fails ends it.
#[track_caller]
pub fn sftp(how: &[&str], lines: &str) -> Run {
    let words = [&["sftp", "-q", "-b", "-"], how].concat();
    Background::start(program(&words), lines.as_bytes().to_vec()).wait()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
