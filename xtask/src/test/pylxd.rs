//! `test --pylxd`: the integration tests of LXD's client for Python against our daemon. See `lab/rigs/pylxd.sh`.

use anyhow::Result;

use crate::shell;

pub(super) fn run() -> Result<bool> {
    let script = shell::root().join("lab/rigs/pylxd.sh");
    let (folder, program) = (shell::root().join("target/pylxd"), shell::built("debug")?);
    let words = [&folder, &program].map(|path| path.to_string_lossy().into_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let well = shell::succeeds(&mut shell::as_root(&script.to_string_lossy(), &words)?)?;
    println!("pylxd: {}", if well { "all well" } else { "not well" });
    Ok(well)
}
