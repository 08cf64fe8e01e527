//! `agent`: what runs inside virtual machines, built so that it needs nothing of theirs, and put beside `microcloud`.
//!
//! It has a target folder of its own: its flags would have everything else built twice.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell;

/// The program.
pub(crate) const NAME: &str = "microcloud-agent";

/// Beside the one that tests and the demo use. False if the build failed.
pub(crate) fn build() -> Result<bool> {
    build_beside(&shell::microcloud()?)
}

/// The same beside that one.
pub(crate) fn build_beside(program: &Path) -> Result<bool> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let folder = program.parent().context("the program is in no folder")?;
    let own = folder.with_file_name("agent");
    let words = ["build", "--package", "agent", "--bin", NAME, "--features", "program"];
    let target = ["--profile", "agent", "--target", &triple, "--target-dir", &shown(&own)];
    let flags = [("RUSTFLAGS", "-C target-feature=+crt-static")];
    if !shell::cargo(&[&words[..], &target].concat(), &flags)? {
        return Ok(false);
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    // One that runs is not written into: it is replaced.
    let (to, part) = (folder.join(NAME), folder.join(format!("{NAME}.part")));
    fs::copy(own.join(triple).join("agent").join(NAME), &part).context("copy the agent")?;
    fs::rename(&part, &to).context("put the agent beside microcloud")?;
    Ok(true)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
