//! `apparmor_parser`: compiles AppArmor profiles and loads them into the kernel.

use std::path::Path;
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// Compiling one profile on a small board takes seconds.
const TIMEOUT: Duration = Duration::from_secs(120);
const PROGRAM: &str = "apparmor_parser";
const PACKAGE: &str = "apparmor";

/// Loads the profiles in `file`; those of the same name are replaced, also for running processes.
/// What was compiled before is taken from `cache`.
pub fn load(file: &Path, cache: &Path) -> Result<()> {
    let tool = Tool::new(PROGRAM, PACKAGE)
        .args(["--replace", "--write-cache", "--cache-loc"])
        .args([cache, file]);
    run(tool.timeout(TIMEOUT), &Control::none()).map(drop)
}

/// Removes the profiles in `file` from the kernel; processes under them go on unconfined.
pub fn unload(file: &Path) -> Result<()> {
    let tool = Tool::new(PROGRAM, PACKAGE).arg("--remove").arg(file);
    match run(tool.timeout(TIMEOUT), &Control::none()) {
        Err(error) if error.stderr_has("Profile doesn't exist") => Ok(()),
        other => other.map(drop),
    }
}

/// Whether `file` is a valid profile, without a kernel that knows AppArmor.
pub fn check(file: &Path) -> Result<()> {
    let tool = Tool::new(PROGRAM, PACKAGE)
        .args(["--skip-kernel-load", "--skip-cache", "--quiet"])
        .arg(file);
    run(tool.timeout(TIMEOUT), &Control::none()).map(drop)
}
