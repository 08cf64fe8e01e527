//! `busybox`: many small programs in one file, which the busybox image is made of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Where each of its programs is usually found, such as `sbin/init`; relative to the root.
pub fn applets(control: &Control) -> Result<Vec<PathBuf>> {
    let tool = Tool::new("busybox", "busybox-static").arg("--list-full").timeout(TIMEOUT);
    Ok(paths(&run(tool, control)?.text()))
}

/// Only plain paths: they become links in an image.
fn paths(text: &str) -> Vec<PathBuf> {
    let plain =
        |path: &&Path| path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
    text.lines()
        .map(Path::new)
        .filter(plain)
        .filter(|p| p.as_os_str() != "")
        .map(Path::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_taken() {
        let found = paths("bin/ash\n\nsbin/init\n/etc/passwd\n../x\n");
        assert_eq!(found, [Path::new("bin/ash"), Path::new("sbin/init")]);
    }

    #[test]
    fn the_installed_one_has_a_shell_and_an_init() {
        if !crate::installed("busybox") {
            eprintln!("SKIP: busybox is not installed");
            return;
        }
        let found = applets(&Control::none()).unwrap();
        assert!(found.contains(&"bin/sh".into()) && found.contains(&"sbin/init".into()));
    }
}
