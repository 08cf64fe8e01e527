//! `qemu-img`: makes plain disks of QEMU's.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// Its name, to look for it.
pub const PROGRAM: &str = "qemu-img";

/// A large disk on a slow one.
const TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// Writes the disk in a qcow2 file to a new file, with its holes. The file must name no other: who calls
/// has looked at its header.
pub fn to_raw(from: &Path, to: &Path, control: &Control) -> Result<()> {
    let tool = Tool::new(PROGRAM, "qemu-utils").timeout(TIMEOUT);
    let tool = tool.args(["convert", "-f", "qcow2", "-O", "raw", "-S", "4k"]);
    run(tool.arg(from).arg(to), control).map(drop)
}

/// Writes a plain disk to a new qcow2 file, with its holes.
pub fn to_qcow2(from: &Path, to: &Path, control: &Control) -> Result<()> {
    let tool = Tool::new(PROGRAM, "qemu-utils").timeout(TIMEOUT);
    let tool = tool.args(["convert", "-f", "raw", "-O", "qcow2"]);
    run(tool.arg(from).arg(to), control).map(drop)
}

/// What a disk is read as. A qcow2 file is not packed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The bytes of the disk.
    Raw,
    /// VMware's, in one file.
    Vmdk,
}

/// Writes a disk to a new qcow2 file, packed by zstd. A file that it says to stand on is not opened.
pub fn pack(from: &Path, format: From, to: &Path, control: &Control) -> Result<()> {
    let mut source = OsString::from("driver=");
    source.push(match format {
        From::Raw => "raw,file.driver=file,file.filename=",
        From::Vmdk => "vmdk,backing=,file.driver=file,file.filename=",
    });
    source.push(from.to_string_lossy().replace(',', ",,"));
    let tool = Tool::new(PROGRAM, "qemu-utils").timeout(TIMEOUT);
    let tool = tool.args(["convert", "-c", "--image-opts", "-O", "qcow2"]);
    let tool = tool.args(["-o", "compression_type=zstd"]);
    run(tool.arg(source).arg(to), control).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_as_it_was() {
        if !crate::installed(PROGRAM) {
            return eprintln!("SKIP: {PROGRAM} is not installed");
        }
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let mut disk = vec![0; 4 << 20];
        disk[2 << 20..(2 << 20) + 5].copy_from_slice(b"bytes");
        std::fs::write(place("raw"), &disk).unwrap();
        to_qcow2(&place("raw"), &place("qcow2"), &Control::none()).unwrap();
        to_raw(&place("qcow2"), &place("again"), &Control::none()).unwrap();
        assert!(std::fs::read(place("again")).unwrap() == disk);
        assert!(to_raw(&place("raw"), &place("more"), &Control::none()).is_err());
    }
}
