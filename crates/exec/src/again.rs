//! The program that runs, once more in its own place.

use std::{env, io, os::unix::process::CommandExt, path::Path, process::Command};

/// Replaces this process by a new one of the same program with the same arguments. Returns only when it cannot. What
/// is open is closed by that, as everything here is opened so.
#[expect(clippy::disallowed_methods, reason = "the one place that starts this program anew")]
pub fn again() -> io::Error {
    let mut words = env::args_os();
    // Its own file, also when that was replaced by a newer one: who upgrades restarts the daemon.
    let program = Path::new("/proc/self/exe");
    let mut command = Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    command.args(words).exec()
}
