//! A TPM 2, by a program that runs beside QEMU: `swtpm`.
//!
//! QEMU needs it before it can make the machine, and so waits at a socket until it is connected. What the chip
//! remembers is in a folder; the program ends with QEMU.

use std::path::Path;

use crate::{Error, Machine, Result, command::Arguments, confine::IO};

/// The socket where QEMU waits for the program, in [`crate::IO`].
pub const TPM_SOCKET: &str = "tpm.sock";
/// What the chip remembers, for the program.
pub(crate) const PLACE: &str = "/run/vm/tpm";

const PROGRAM: &str = "/usr/bin/swtpm";

/// Program and arguments. Its standard input is a connection with [`TPM_SOCKET`].
///
/// # Errors
/// [`Error::NoSwtpm`] where it is not installed.
pub fn tpm_command() -> Result<Vec<String>> {
    if !Path::new(PROGRAM).is_file() {
        return Err(Error::NoSwtpm);
    }
    let state = format!("dir={PLACE},mode=0600");
    let words = [
        "socket",
        "--tpm2",
        "--tpmstate",
        &state,
        "--ctrl",
        "type=unixio,clientfd=0",
        "--terminate",
    ];
    Ok([PROGRAM].into_iter().chain(words).map(str::to_owned).collect())
}

/// Whether a machine of these arguments has one.
pub fn has_tpm(argv: &[String]) -> bool {
    argv.iter().any(|word| word == BACKEND)
}

const BACKEND: &str = "emulator,id=tpm,chardev=tpm";

pub(crate) fn add(args: &mut Arguments, machine: &Machine) {
    if !machine.tpm {
        return;
    }
    args.pair("-chardev", format!("socket,id=tpm,path={IO}/{TPM_SOCKET},server=on,wait=on"));
    args.pair("-tpmdev", BACKEND);
    let card = if machine.architecture == "x86_64" { "tpm-crb" } else { "tpm-tis-device" };
    args.device(&format!("{card},tpmdev=tpm"));
}
