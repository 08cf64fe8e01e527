//! What an image is, in one pass over its files: hashed while the metadata is looked for.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use exec::{Control, Progress};

use crate::archive::{self, Item, Next};
use crate::decode::{Counting, Source, decoder};
use crate::digest::Hashing;
use crate::error::At;
use crate::{Digest, Error, Format, Metadata, Result};

/// The file or files of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The image in one file; or its metadata, when `rootfs` is given.
    pub main: PathBuf,
    /// The root or disk of an image in two files.
    pub rootfs: Option<PathBuf>,
}

impl Files {
    /// An image in one file.
    pub fn unified(main: impl Into<PathBuf>) -> Files {
        Files { main: main.into(), rootfs: None }
    }

    /// An image in two files.
    pub fn split(main: impl Into<PathBuf>, rootfs: impl Into<PathBuf>) -> Files {
        Files { main: main.into(), rootfs: Some(rootfs.into()) }
    }
}

/// What an image makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has a root of files.
    Container,
    /// It has a disk.
    VirtualMachine,
}

/// What is in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// SHA-256 of the file, or of the metadata file followed by the root's, in hexadecimal.
    pub fingerprint: String,
    /// Bytes of the file or files.
    pub size: u64,
    /// What it says of itself.
    pub metadata: Metadata,
    /// What it makes.
    pub kind: Kind,
}

/// Reads an image's files through.
pub fn inspect(files: &Files, control: &Control) -> Result<Found> {
    let mut digest = Digest::new();
    let main = Source::open(&files.main)?;
    let mut seen = Seen::default();
    if main.format == Format::Squashfs && files.rootfs.is_none() {
        seen.squashfs(&files.main, control)?;
    } else {
        main.must_be_tar(&files.main, "an image's metadata")?;
        seen.all = files.rootfs.is_none();
        let hashing = Hashing { inner: &main.file, digest: &mut digest };
        let unpacked = decoder(main.format, hashing).at("read", &files.main)?;
        archive::walk(&files.main, unpacked, &mut |item| seen.look(item, control))?;
    }
    hash_rest(&main.file, &files.main, &mut digest, control)?;
    if let Some(rootfs) = &files.rootfs {
        let file = Source::open(rootfs)?;
        seen.kind = Some(kind_of(file.format));
        hash_rest(&file.file, rootfs, &mut digest, control)?;
    }
    let absent = || Error::NoMetadata { file: files.main.clone() };
    let metadata = Metadata::parse(&seen.metadata.ok_or_else(absent)?)?;
    let kind = seen.kind.ok_or_else(|| Error::NoRoot { file: files.main.clone() })?;
    Ok(Found { fingerprint: digest.fingerprint(), size: digest.bytes(), metadata, kind })
}

fn kind_of(format: Format) -> Kind {
    if format == Format::Qcow2 { Kind::VirtualMachine } else { Kind::Container }
}

/// What the walk found so far.
#[derive(Default)]
struct Seen {
    metadata: Option<Vec<u8>>,
    kind: Option<Kind>,
    /// Whether the root is looked for in this file too.
    all: bool,
}

impl Seen {
    fn look(&mut self, item: &mut Item, control: &Control) -> Result<Next> {
        control.check()?;
        let path = item.path.strip_prefix(".").unwrap_or(&item.path);
        match path.components().next().map(|first| first.as_os_str().as_encoded_bytes()) {
            Some(b"metadata.yaml") => self.metadata = Some(item.read_all(Metadata::MAX_BYTES)?),
            Some(b"rootfs") => self.kind = Some(Kind::Container),
            Some(b"rootfs.img") => self.kind = Some(Kind::VirtualMachine),
            _ => {}
        }
        let done = self.metadata.is_some() && (self.kind.is_some() || !self.all);
        Ok(if done { Next::Stop } else { Next::Go })
    }

    fn squashfs(&mut self, file: &Path, control: &Control) -> Result<()> {
        self.metadata = Some(exec::unsquashfs::read(file, Path::new("metadata.yaml"), control)?);
        self.kind = Some(Kind::Container);
        Ok(())
    }
}

/// Hashes a file from where it was read to.
fn hash_rest(mut file: &File, path: &Path, digest: &mut Digest, control: &Control) -> Result<()> {
    let total = file.metadata().at("look at", path)?.len();
    let mut counting = Counting::new(&mut file);
    let count = counting.count();
    let mut buffer = vec![0; 256 << 10];
    loop {
        control.check()?;
        let read = match counting.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other.at("read", path)?,
        };
        if read == 0 {
            return Ok(());
        }
        digest.update(&buffer[..read]);
        control.report(Progress::bytes("check image", count.get(), Some(total)));
    }
}
