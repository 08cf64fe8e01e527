//! UEFI firmware as distributions install it.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// What a firmware is to let boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    /// Only what a key of the machine's owner or maker has signed (secure boot).
    Signed,
    /// Anything.
    Any,
    /// What boots from a BIOS (`security.csm`).
    Legacy,
}

/// A firmware, and where its variables start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Firmware {
    /// UEFI.
    Uefi {
        /// Its code, on the host.
        code: PathBuf,
        /// The variables of a machine that never ran, on the host.
        variables: PathBuf,
        /// Whether it checks signatures, and so must keep its variables from the system.
        secure: bool,
    },
    /// The BIOS that comes with QEMU.
    Bios,
}

/// Code and variables, best first: Debian and Ubuntu, then Fedora and Arch.
const X86_SIGNED: [[&str; 2]; 3] = [
    ["/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"],
    ["/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"],
    ["/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"],
];
const X86_ANY: [[&str; 2]; 4] = [
    ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"],
    ["/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"],
    ["/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"],
    ["/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"],
];
const ARM_SIGNED: [[&str; 2]; 1] =
    [["/usr/share/AAVMF/AAVMF_CODE.ms.fd", "/usr/share/AAVMF/AAVMF_VARS.ms.fd"]];
const ARM_ANY: [[&str; 2]; 2] = [
    ["/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"],
    ["/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"],
];

/// Finds a firmware for machines of an architecture.
///
/// # Errors
/// [`Error::NoFirmware`] where none is installed.
pub fn find(architecture: &str, loader: Loader) -> Result<Firmware> {
    let arm = architecture == "aarch64";
    let package = if arm { "qemu-efi-aarch64" } else { "ovmf" };
    let pairs: &[[&str; 2]] = match (arm, loader) {
        (false, Loader::Legacy) => return Ok(Firmware::Bios),
        (true, Loader::Legacy) => {
            return Err(Error::NoFirmware { what: "legacy boot (security.csm)", package });
        }
        (false, Loader::Signed) => &X86_SIGNED,
        (false, Loader::Any) => &X86_ANY,
        (true, Loader::Signed) => &ARM_SIGNED,
        (true, Loader::Any) => &ARM_ANY,
    };
    let secure = loader == Loader::Signed;
    let what = if secure { "secure boot (security.secureboot)" } else { "UEFI" };
    let there = |pair: &&[&str; 2]| pair.iter().all(|path| Path::new(path).exists());
    let [code, variables] = pairs.iter().find(there).ok_or(Error::NoFirmware { what, package })?;
    Ok(Firmware::Uefi { code: code.into(), variables: variables.into(), secure })
}
