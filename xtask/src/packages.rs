//! Programs a chore needs from the system, and how they are installed.

use anyhow::Result;

use crate::shell;

/// A program, or the path of a file, and the Debian package that has it.
pub(crate) type Needed = (&'static str, &'static str);

/// What the tests start.
const TESTS: [Needed; 27] = [
    ("busybox", "busybox-static"),
    ("cc", "build-essential"),
    ("cryptsetup", "cryptsetup-bin"),
    ("cpio", "cpio"),
    ("curl", "curl"),
    ("depmod", "kmod"),
    ("ip", "iproute2"),
    ("lvm", "lvm2"),
    ("lxc", "lxd-client"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mcopy", "mtools"),
    ("qemu-img", "qemu-utils"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
    ("mksquashfs", "squashfs-tools"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("/usr/lib/python3/dist-packages/boto3/__init__.py", "python3-boto3"),
    ("openssl", "openssl"),
    ("s3cmd", "s3cmd"),
    ("sqlite3", "sqlite3"),
    ("swtpm", "swtpm"),
    ("tar", "tar"),
    ("thin_check", "thin-provisioning-tools"),
    ("unsquashfs", "squashfs-tools"),
    ("xorriso", "xorriso"),
    ("xz", "xz-utils"),
];

/// Installs what is missing. What cannot be installed makes its tests say SKIP, so that is no error.
pub(crate) fn install() -> Result<()> {
    for package in ensure("test", &TESTS)? {
        println!("test: {package} could not be installed; its tests will be skipped");
    }
    Ok(())
}

/// Installs what is missing; gives back the packages that are still missing then.
pub(crate) fn ensure(chore: &str, needed: &[Needed]) -> Result<Vec<&'static str>> {
    let missing = missing(needed);
    if missing.is_empty() {
        return Ok(missing);
    }
    if !shell::installed("apt-get") {
        println!("{chore}: not installed, and no apt here: {}", missing.join(" "));
        return Ok(missing);
    }
    println!("{chore}: installing {}", missing.join(" "));
    if !apt(&["update", "--quiet"])? {
        println!("{chore}: apt-get update failed");
    }
    // Twice: one that came from elsewhere (a newer QEMU's tools) is removed where another of Debian's own takes its place.
    for _ in 0..2 {
        for package in self::missing(needed) {
            // One by one: an unknown name must not keep the others from being installed.
            apt(&["install", "--yes", "--quiet", "--no-install-recommends", package])?;
        }
    }
    Ok(self::missing(needed))
}

fn missing(needed: &[Needed]) -> Vec<&'static str> {
    let absent = needed.iter().filter(|(program, _)| !shell::installed(program));
    let mut packages: Vec<&str> = absent.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

fn apt(args: &[&str]) -> Result<bool> {
    let words = [&["DEBIAN_FRONTEND=noninteractive", "apt-get"], args].concat();
    shell::succeeds(&mut shell::as_root("env", &words)?)
}

/// Whether this is the superuser.
pub(crate) fn is_root() -> Result<bool> {
    Ok(shell::output("id", &["-u"])?.trim() == "0")
}
