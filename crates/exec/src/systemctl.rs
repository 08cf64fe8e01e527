//! `systemctl`: asks the machine's systemd.

use std::path::Path;
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// It answers from memory, or not at all.
const TIMEOUT: Duration = Duration::from_secs(10);
/// It is there exactly when systemd is the machine's init (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";

/// Whether the machine is shutting down: its systemd has a job for `shutdown.target`, which each of
/// poweroff, reboot, halt and kexec has. A machine without systemd never is, as far as we can tell.
pub fn machine_stops(control: &Control) -> Result<bool> {
    if !Path::new(BOOTED).is_dir() {
        return Ok(false);
    }
    // Every state but "running" has another exit code than 0.
    let tool = Tool::new("systemctl", "systemd").arg("is-system-running").timeout(TIMEOUT);
    Ok(stops(&run(tool.accept(&[0, 1, 2, 3, 4]), control)?.text()))
}

fn stops(state: &str) -> bool {
    state.trim() == "stopping"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_machine_on_its_way_down_stops() {
        assert!(stops("stopping\n"));
        for state in ["running\n", "degraded\n", "starting\n", "offline\n", "unknown\n", ""] {
            assert!(!stops(state), "{state}");
        }
    }
}
