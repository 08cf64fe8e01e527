//! What a file is, by its first bytes. Names are not looked at.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::At;
use crate::{Error, Result};

/// A format we can read or at least recognise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A plain tar archive.
    Tar,
    /// A tar archive through gzip.
    Gzip,
    /// A tar archive through xz.
    Xz,
    /// A tar archive through the older lzma.
    Lzma,
    /// A tar archive through zstd.
    Zstd,
    /// A squashfs file system.
    Squashfs,
    /// A QEMU disk.
    Qcow2,
}

/// Enough for tar's magic, which comes last.
const HEAD: usize = 512;

impl Format {
    /// Looks at the first bytes of a file.
    pub fn of(path: &Path) -> Result<Format> {
        let mut head = Vec::with_capacity(HEAD);
        let mut file = File::open(path).at("open", path)?.take(HEAD as u64);
        file.read_to_end(&mut head).at("read", path)?;
        Format::of_bytes(&head).ok_or_else(|| Error::UnknownFormat { file: path.to_owned() })
    }

    /// The same for bytes already read; 512 suffice.
    pub fn of_bytes(head: &[u8]) -> Option<Format> {
        const MAGIC: [(&[u8], Format); 6] = [
            (&[0x1f, 0x8b], Format::Gzip),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Format::Xz),
            (&[0x5d, 0, 0], Format::Lzma),
            (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
            (b"hsqs", Format::Squashfs),
            (b"QFI\xfb", Format::Qcow2),
        ];
        if head.get(257..262) == Some(b"ustar") {
            return Some(Format::Tar);
        }
        MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, format)| *format)
    }

    /// Whether it is a tar archive within.
    pub fn is_tar(self) -> bool {
        !matches!(self, Format::Squashfs | Format::Qcow2)
    }

    /// What its files are usually called.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Tar => "tar",
            Format::Gzip => "tar.gz",
            Format::Xz => "tar.xz",
            Format::Lzma => "tar.lzma",
            Format::Zstd => "tar.zst",
            Format::Squashfs => "squashfs",
            Format::Qcow2 => "qcow2",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_first_bytes() {
        let mut tar = [0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(Format::of_bytes(&tar), Some(Format::Tar));
        assert_eq!(Format::of_bytes(b"\x1f\x8b\x08"), Some(Format::Gzip));
        assert_eq!(Format::of_bytes(b"hsqs...."), Some(Format::Squashfs));
        assert_eq!(Format::of_bytes(b"QFI\xfb"), Some(Format::Qcow2));
        assert_eq!(Format::of_bytes(b""), None);
        assert_eq!(Format::of_bytes(&[0; 512]), None);
        assert_eq!(Format::of_bytes(b"#!/bin/sh\n"), None);
    }
}
