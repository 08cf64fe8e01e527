//! What the tests need from the system, and how it is installed.

use anyhow::Result;

use crate::shell;

/// Programs the tests start, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 11] = [
    ("busybox", "busybox-static"),
    ("cc", "build-essential"),
    ("curl", "curl"),
    ("ip", "iproute2"),
    ("lxc", "lxd-client"),
    ("mksquashfs", "squashfs-tools"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("tar", "tar"),
    ("unsquashfs", "squashfs-tools"),
    ("xz", "xz-utils"),
];

/// Installs what is missing. What cannot be installed makes its tests say SKIP, so that is no error.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&str> = missing();
    if missing.is_empty() {
        return Ok(());
    }
    if !shell::installed("apt-get") {
        println!("test: not installed, and no apt here: {}", missing.join(" "));
        return Ok(());
    }
    println!("test: installing {}", missing.join(" "));
    if !apt(&["update", "--quiet"])? {
        println!("test: apt-get update failed");
    }
    for package in missing {
        // One by one: an unknown name must not keep the others from being installed.
        if !apt(&["install", "--yes", "--quiet", "--no-install-recommends", package])? {
            println!("test: {package} could not be installed; its tests will be skipped");
        }
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !shell::installed(program))
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    packages
}

fn apt(args: &[&str]) -> Result<bool> {
    let mut command = if is_root()? {
        shell::command("apt-get", args)
    } else {
        shell::command("sudo", &[&["apt-get"], args].concat())
    };
    shell::succeeds(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Whether this is the superuser.
pub(crate) fn is_root() -> Result<bool> {
    Ok(shell::output("id", &["-u"])?.trim() == "0")
}
