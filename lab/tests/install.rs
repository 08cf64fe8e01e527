//! A virtual machine without an image, and the disc that a system is installed from.

use std::time::Duration;

use lab::{Daemon, host, within};

/// Firmware, loader and kernel under QEMU's translator, beside other tests.
const BOOT: Duration = Duration::from_secs(180);

/// Waits until the machine has gone by itself.
#[track_caller]
fn goes(daemon: &Daemon, name: &str) {
    within(BOOT, &format!("{name} goes"), || (daemon.status(name) == "Stopped").then_some(()));
}

#[test]
fn an_empty_machine_is_installed_from_a_disc() {
    for program in ["xorriso", "mcopy", "dpkg-deb"] {
        if !lab::installed(program) {
            return lab::skip(&format!("not installed: {program}"));
        }
    }
    let Some(guest) = lab::machines::kernel() else { return };
    let Some(daemon) = Daemon::ready() else { return };
    let disc = daemon.scratch().join("disc.iso").to_string_lossy().into_owned();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/rigs/disc.sh");
    host(&[script, &guest.to_string_lossy(), &disc]).ok();

    daemon.lxc(["init", "v", "--empty", "--vm", "--device", "root,size=40MiB"]).ok();
    daemon.lxc(["config", "set", "v", "security.secureboot=false"]).ok();
    daemon.cli(["storage", "volume", "import", "default", &disc, "disc", "--type", "iso"]).ok();
    let device = ["disk", "pool=default", "source=disc", "boot.priority=10"];
    let add = [&["config", "device", "add", "v", "disc"], &device[..]].concat();
    daemon.run(lab::Client::Lxc, &add).ok();
    daemon.lxc(["start", "v"]).ok();
    goes(&daemon, "v");
    assert!(daemon.console("v").contains("it is installed"), "{}", daemon.console("v"));

    // While it is in use a disc stays; without it the machine boots what was installed.
    daemon.cli(["storage", "volume", "delete", "default", "disc"]).fails_with("in use");
    daemon.lxc(["config", "device", "remove", "v", "disc"]).ok();
    daemon.lxc(["start", "v"]).ok();
    goes(&daemon, "v");
    let said = daemon.console("v");
    assert!(said.contains("the installed system is up"), "{said}");
    assert!(!said.contains("it is installed"), "{said}");
    daemon.lxc(["delete", "v"]).ok();
    daemon.cli(["storage", "volume", "delete", "default", "disc"]).ok();
}
