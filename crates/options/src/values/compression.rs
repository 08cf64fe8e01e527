//! How files are compressed.

use std::fmt;

use super::{choice, value};
use crate::Value;

choice! {
    /// An algorithm that compresses files.
    pub enum Algorithm {
        Bzip2 = "bzip2",
        Gzip = "gzip",
        Lz4 = "lz4",
        Lzma = "lzma",
        Xz = "xz",
        Zstd = "zstd",
        None = "none",
    }
}

/// How files are compressed: `gzip`, `zstd -3`, `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The level, 1 to 19.
    pub level: Option<u8>,
}

impl Compression {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let algorithm = Algorithm::parse(words.next()?).ok()?;
        let level = match words.next() {
            Some(word) => Some(u8::parse(word.strip_prefix('-')?).ok()?),
            None => None,
        };
        let right = words.next().is_none() && level.is_none_or(|level| (1..=19).contains(&level));
        right.then_some(Self { algorithm, level })
    }
}

value!(
    Compression,
    "compression",
    "bzip2, gzip, lz4, lzma, xz, zstd or none, with a level if need be, such as `zstd -3`",
    Compression::read
);

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm.fmt(f)?;
        self.level.map_or(Ok(()), |level| write!(f, " -{level}"))
    }
}
