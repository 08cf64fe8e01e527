//! `check`: everything that can be found wrong without a test. All failures come in one run. (Whether generated files are
//! as they were generated, tests say.)

use anyhow::Result;

use crate::{shell, tidy};

const CLIPPY: [&str; 7] =
    ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];

pub(crate) fn run() -> Result<bool> {
    let parts = [
        ("tidy", tidy::run()?),
        ("format", shell::cargo(&["fmt", "--all", "--check"], &[])?),
        ("clippy", shell::cargo(&CLIPPY, &[])?),
    ];
    let failed: Vec<&str> = parts.iter().filter(|part| !part.1).map(|part| part.0).collect();
    if failed.is_empty() {
        println!("check: all well");
    } else {
        println!("check: failed: {}; `cargo xtask fix` mends some of it", failed.join(", "));
    }
    Ok(failed.is_empty())
}
