//! A disk that somebody has, made an image: it gets metadata of ours, and becomes qcow2 where it is not.
//!
//! What the disk holds is not looked at; what its file says of other files is: those would be read from here.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use exec::qemu_img::From;
use exec::{Control, Progress};

use crate::error::At;
use crate::{Compression, Error, Files, Format, Metadata, Result, Tarball, disk};

/// What a file with a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// QEMU's.
    Qcow2,
    /// VMware's, in one file.
    Vmdk,
    /// The bytes of the disk.
    Raw,
}

/// Whether a file is a disk, by its first bytes: of a plain one, by the mark that each table of partitions
/// and each loader of a BIOS has.
pub fn kind_of(file: &Path) -> Result<Option<Kind>> {
    let mut head = [0; 512];
    let open = File::open(file).at("open", file)?;
    if open.read_exact_at(&mut head, 0).is_err() {
        return Ok(None);
    }
    Ok(match Format::of_bytes(&head) {
        Some(Format::Qcow2) => Some(Kind::Qcow2),
        Some(_) => None,
        None if head.starts_with(b"KDMV") => Some(Kind::Vmdk),
        None => head.ends_with(&[0x55, 0xaa]).then_some(Kind::Raw),
    })
}

/// Makes an image of a disk: the files `made`, of which the disk may take the place of `file`.
///
/// # Errors
/// It is damaged, names other files, or cannot be written.
pub fn adopt(file: &Path, kind: Kind, name: &str, made: &Files, control: &Control) -> Result<()> {
    let disk = made.rootfs.as_deref().unwrap_or(file);
    control.report(Progress::stage("convert disk"));
    match kind {
        Kind::Qcow2 => {
            disk::qcow2_size(file)?;
            fs::hard_link(file, disk).at("link", disk)?;
        }
        Kind::Vmdk => {
            whole(file)?;
            exec::qemu_img::pack(file, From::Vmdk, disk, control)?;
        }
        Kind::Raw => exec::qemu_img::pack(file, From::Raw, disk, control)?,
    }
    let now = clock::since_1970().as_secs();
    let mut metadata = Metadata {
        architecture: std::env::consts::ARCH.to_owned(),
        creation_date: now as i64,
        ..Metadata::default()
    };
    metadata.properties.insert(String::from("description"), name.to_owned());
    let main = File::create(&made.main).at("create", &made.main)?;
    let mut tarball = Tarball::new(main, Compression::Zstd, "pack image", control)?;
    tarball.text("metadata.yaml", metadata.text()?.as_bytes())?;
    tarball.finish().map(drop)
}

/// Bytes in which a disk of VMware's describes itself: 20 sectors, after the first.
const DESCRIPTION: u64 = 21 * 512;

/// Where its first sector says how many sectors it has, in 8 bytes.
const CAPACITY: std::ops::Range<usize> = 12..20;

/// Refuses a disk of VMware's that names other files, which would be read from here.
fn whole(file: &Path) -> Result<()> {
    let mut head = Vec::new();
    let open = File::open(file).at("open", file)?;
    open.take(DESCRIPTION).read_to_end(&mut head).at("read", file)?;
    let no = |why| Err(Error::NoDisk { what: "vmdk", why });
    // One without a capacity has no data: its description lists files that have.
    if head.get(CAPACITY).is_none_or(|capacity| capacity.iter().all(|byte| *byte == 0)) {
        return no("its data is in other files");
    }
    let hint = b"parentFileNameHint";
    match head.windows(hint.len()).any(|bytes| bytes == hint) {
        true => no("it stands on another file"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_of_vmware_names_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("disk.vmdk");
        let told = |capacity: u64, description: &str| {
            let mut head = vec![0; 1024];
            head[..4].copy_from_slice(b"KDMV");
            head[CAPACITY].copy_from_slice(&capacity.to_le_bytes());
            head.extend(description.as_bytes());
            fs::write(&file, head).unwrap();
            whole(&file).map_err(|error| error.to_string())
        };
        assert_eq!(told(2048, "RW 2048 SPARSE \"disk.vmdk\""), Ok(()));
        let listed = told(0, "RW 2048 FLAT \"/etc/shadow\" 0").unwrap_err();
        assert!(listed.contains("in other files"), "{listed}");
        let stands = told(2048, "parentFileNameHint=\"/etc/shadow\"").unwrap_err();
        assert!(stands.contains("stands on another file"), "{stands}");
        fs::write(&file, "KDMV").unwrap();
        whole(&file).unwrap_err();
    }
}
