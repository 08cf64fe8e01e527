//! What of the host QEMU sees.

use std::path::{Path, PathBuf};

use spec::{DeviceNode, Mount};

use crate::{Accel, Boot, Machine, tpm};

/// Where QEMU has its sockets.
pub const IO: &str = "/run/vm/io";
/// The variables of its firmware.
pub const NVRAM: &str = "/run/vm/nvram";
/// The kernel, where there is no firmware.
pub const BOOT: &str = "/run/vm/boot";

/// What the guest gets by 9p.
pub const DRIVE: &str = "/run/vm/drive";

/// Programs, libraries and firmware, where distributions have them.
const PROGRAMS: [&str; 6] =
    ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/qemu"];

/// What of the host's is one machine's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Becomes [`IO`].
    pub io: PathBuf,
    /// Becomes [`DRIVE`].
    pub drive: PathBuf,
    /// A file that becomes [`NVRAM`].
    pub nvram: Option<PathBuf>,
    /// Becomes [`BOOT`].
    pub boot: Option<PathBuf>,
    /// What its TPM remembers.
    pub tpm: Option<PathBuf>,
}

/// Mounts and devices of the container that QEMU runs in.
pub fn confine(machine: &Machine, folders: &Folders) -> (Vec<Mount>, Vec<DeviceNode>) {
    let shown = |path: &str| Mount {
        source: path.into(),
        target: path.into(),
        readonly: true,
        optional: true,
        ..Mount::default()
    };
    let mut mounts: Vec<Mount> = PROGRAMS.into_iter().map(shown).collect();
    mounts.push(Mount::new(&folders.io, IO));
    mounts.push(Mount { readonly: true, ..Mount::new(&folders.drive, DRIVE) });
    if let Some(file) = &folders.nvram {
        mounts.push(Mount::new(file, NVRAM));
    }
    if let Some(folder) = &folders.tpm {
        mounts.push(Mount::new(folder, tpm::PLACE));
    }
    if let (Boot::Kernel { .. }, Some(folder)) = (&machine.boot, &folders.boot) {
        mounts.push(Mount { readonly: true, ..Mount::new(folder, BOOT) });
    }
    let devices = match machine.accel {
        Accel::Kvm => vec![DeviceNode::character(Path::new("/dev/kvm"), 10, 232)],
        Accel::Tcg => Vec::new(),
    };
    (mounts, devices)
}
