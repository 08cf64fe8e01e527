//! `test --pylxd`, `test --docker`: what others wrote, against our daemon. See `lab/rigs/NAME.sh`.

use anyhow::Result;

use crate::shell;

/// The scripts there are.
pub(super) const NAMES: [&str; 2] = ["docker", "pylxd"];

/// Runs one with the folder that keeps what it fetches, and the program.
pub(super) fn run(name: &str) -> Result<bool> {
    let script = shell::root().join(format!("lab/rigs/{name}.sh"));
    let (folder, program) = (shell::root().join("target").join(name), shell::built("debug")?);
    let words = [&folder, &program].map(|path| path.to_string_lossy().into_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let well = shell::succeeds(&mut shell::as_root(&script.to_string_lossy(), &words)?)?;
    println!("{name}: {}", if well { "all well" } else { "not well" });
    Ok(well)
}
