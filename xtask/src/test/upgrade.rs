//! `test --upgrade REVISION`: a cluster of three of that revision, built apart, is upgraded to this one under load. See
//! `lab/tests/faults/upgrade.rs`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shell;

pub(super) fn run(words: &[String]) -> Result<bool> {
    let revision = words.first().context("which revision? test --upgrade REVISION")?;
    let before = built(revision)?;
    let env = [("UPGRADE_FROM", &*before.to_string_lossy())];
    let well = super::lab("faults::nothing_is_lost_while_members_are_upgraded", &env)?;
    println!("upgraded from {revision}: {}", if well { "all well" } else { "not well" });
    Ok(well)
}

/// The program of a revision, built in a worktree of its own; that of another revision is replaced.
fn built(revision: &str) -> Result<PathBuf> {
    let place = shell::root().join("target/upgrade");
    let (tree, target) = (place.join("tree"), place.join("target"));
    let at = tree.to_string_lossy().into_owned();
    let git = |folder: &Path, words: &[&str]| -> Result<()> {
        let well = shell::succeeds(shell::command("git", words).current_dir(folder))?;
        ensure!(well, "git {} failed", words.join(" "));
        Ok(())
    };
    match tree.join(".git").exists() {
        true => git(&tree, &["checkout", "--quiet", "--force", "--detach", revision])?,
        false => {
            let add = ["worktree", "add", "--quiet", "--force", "--detach", &at, revision];
            git(shell::root(), &["worktree", "prune"])?;
            git(shell::root(), &add)?;
        }
    }
    let build = ["build", "--package", "microcloud", "--bins"];
    let mut command = shell::command(&shell::cargo_path(), &build);
    command.current_dir(&tree).env("CARGO_TARGET_DIR", &target);
    ensure!(shell::succeeds(&mut command)?, "revision {revision} does not build");
    Ok(target.join("debug/microcloud"))
}
