//! `modprobe`: has the kernel take a module.

use std::path::Path;
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// A module may look for its hardware first.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Loads a module with those that it needs. One that is there, or part of the kernel, is fine.
pub fn load(module: &str, control: &Control) -> Result<()> {
    if is_there(module) {
        return Ok(());
    }
    let tool = Tool::new("modprobe", "kmod").arg("--").arg(module).timeout(TIMEOUT);
    run(tool, control).map(drop)
}

/// Whether the kernel has it, as far as it tells; it writes hyphens as underscores.
fn is_there(module: &str) -> bool {
    Path::new("/sys/module").join(module.replace('-', "_")).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_has_needs_no_module() {
        assert!(is_there("kernel"));
        assert!(!is_there("no-such-module"));
        load("kernel", &Control::default()).unwrap();
    }
}
