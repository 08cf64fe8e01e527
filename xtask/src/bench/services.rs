//! Packages that are installed for a benchmark must not leave their services running.

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;

use super::{files, say};
use crate::shell;

/// What the packages of all peers may start.
const SERVICES: [&str; 5] = ["lxd", "dnsmasq", "lxcfs", "lxc-monitord", "nginx"];

/// Ends what runs now and did not before; `units` where systemd runs it.
pub(super) fn stop_new(before: &[u32], units: &[&str]) -> Result<()> {
    if Path::new("/run/systemd/system").exists() && before != files::pids() {
        let words = [&["stop", "--quiet"], units].concat();
        let mut command = shell::command("systemctl", &words);
        // They may not be there.
        shell::succeeds(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    }
    for pid in files::pids().into_iter().filter(|pid| !before.contains(pid)) {
        let name = files::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        let parent_is_init = files::children(1).contains(&pid);
        if SERVICES.contains(&name.trim()) && parent_is_init {
            say(&format!("stopping {}, which its package started", name.trim()));
            shell::succeeds(&mut shell::command("kill", &[&pid.to_string()]))?;
        }
    }
    Ok(())
}
