//! Files that are a disk or a disc: what they are is looked at before anything is made of them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::At;
use crate::{Error, Result};

/// Where the descriptors of a disc begin (ECMA-119: behind 16 sectors of 2048 bytes).
const DESCRIPTORS: u64 = 16 * 2048;
/// How they begin: of ISO 9660, and of UDF alone (ECMA-167).
const DISC: [&[u8]; 2] = [b"CD001", b"BEA01"];

/// Refuses what is no image of a disc.
pub fn check_iso(file: &Path) -> Result<()> {
    let mut name = [0; 5];
    let open = File::open(file).at("open", file)?;
    // A file that is too short is none either.
    let read = open.read_exact_at(&mut name, DESCRIPTORS + 1);
    match read.is_ok() && DISC.contains(&&name[..]) {
        true => Ok(()),
        false => Err(Error::NoDisk { what: "ISO", why: "it holds neither ISO 9660 nor UDF" }),
    }
}

/// Offsets in the header of a qcow2 file (QEMU's docs/interop/qcow2.txt); all numbers are big-endian.
const VERSION: usize = 4;
const BACKING: usize = 8;
const SIZE: usize = 24;
const CRYPT: usize = 32;
const FEATURES: usize = 72;
const HEADER: usize = 80;
/// Its data is in another file.
const ELSEWHERE: u64 = 1 << 2;

/// Whether a file is a qcow2 file.
pub fn is_qcow2(file: &Path) -> Result<bool> {
    let mut head = [0; 4];
    let open = File::open(file).at("open", file)?;
    // A file that is too short is none.
    Ok(open.read_exact_at(&mut head, 0).is_ok() && &head == b"QFI\xfb")
}

/// The bytes of the disk in a qcow2 file. One that names another file is refused: that would be read
/// from this machine.
pub fn qcow2_size(file: &Path) -> Result<u64> {
    let no = |why| Err(Error::NoDisk { what: "qcow2", why });
    let mut head = [0; HEADER];
    let open = File::open(file).at("open", file)?;
    if open.read_exact_at(&mut head, 0).is_err() || !head.starts_with(b"QFI\xfb") {
        return no("it does not begin as one");
    }
    let version = u32::from_be_bytes(bytes(&head, VERSION));
    if !(2..=3).contains(&version) {
        return no("its version is neither 2 nor 3");
    }
    if u64::from_be_bytes(bytes(&head, BACKING)) != 0 {
        return no("it stands on another file: make it whole first (qemu-img convert)");
    }
    if version > 2 && u64::from_be_bytes(bytes(&head, FEATURES)) & ELSEWHERE != 0 {
        return no("its data is in another file: make it whole first (qemu-img convert)");
    }
    if u32::from_be_bytes(bytes(&head, CRYPT)) != 0 {
        return no("it is encrypted");
    }
    Ok(u64::from_be_bytes(bytes(&head, SIZE)))
}

fn bytes<const N: usize>(head: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&head[at..at + N]);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discs_and_disks_are_told_from_others() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut disc = vec![0; 40 << 10];
        let write = |bytes: &[u8]| std::fs::write(file.path(), bytes).unwrap();
        write(&disc);
        assert!(check_iso(file.path()).is_err());
        disc[32769..32774].copy_from_slice(b"CD001");
        write(&disc);
        check_iso(file.path()).unwrap();
        write(b"short");
        assert!(check_iso(file.path()).is_err());

        let mut disk = vec![0; 512];
        disk[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        disk[24..32].copy_from_slice(&(5u64 << 30).to_be_bytes());
        write(&disk);
        assert_eq!(qcow2_size(file.path()).unwrap(), 5 << 30);
        for (at, why) in [(15, "stands on"), (79, "in another file"), (35, "encrypted")] {
            let mut bad = disk.clone();
            bad[at] = 4;
            write(&bad);
            assert!(qcow2_size(file.path()).unwrap_err().to_string().contains(why), "{why}");
        }
    }
}
