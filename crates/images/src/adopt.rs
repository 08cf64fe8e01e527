//! A disk that somebody has, made an image: it gets metadata of ours, and becomes qcow2 where it is not.
//!
//! What the disk holds is not looked at; what its file says of other files is: those would be read from here.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
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

/// Refuses a disk of VMware's that stands on another.
fn whole(file: &Path) -> Result<()> {
    let mut head = Vec::new();
    let open = File::open(file).at("open", file)?;
    open.take(DESCRIPTION).read_to_end(&mut head).at("read", file)?;
    let hint = b"parentFileNameHint";
    match head.windows(hint.len()).any(|bytes| bytes == hint) {
        true => Err(Error::NoDisk { what: "vmdk", why: "it stands on another file" }),
        false => Ok(()),
    }
}
