//! How tarballs are compressed, while they are written.

use std::io::{self, Write};

/// How a tarball is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// With gzip, which everything reads.
    Gzip,
    /// With zstd: faster and smaller than gzip.
    Zstd,
    /// With xz: smallest and slowest.
    Xz,
    /// With the older lzma.
    Lzma,
}

/// How a tarball is compressed, and how hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// How.
    pub compression: Compression,
    /// 1 to 9, to 19 for zstd; None for what is usual.
    pub level: Option<u8>,
}

impl From<Compression> for Packing {
    fn from(compression: Compression) -> Packing {
        Packing { compression, level: None }
    }
}

/// Compresses what is written to it.
pub(super) enum Encoder<W: Write> {
    Plain(W),
    Gzip(flate2::write::GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
    Xz(liblzma::write::XzEncoder<W>),
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(out: W, packing: Packing) -> io::Result<Encoder<W>> {
        let level = packing.level.map(u32::from);
        let nine = |usual: u32| level.unwrap_or(usual).min(9);
        Ok(match packing.compression {
            Compression::None => Encoder::Plain(out),
            Compression::Gzip => {
                let level = flate2::Compression::new(nine(6));
                Encoder::Gzip(flate2::write::GzEncoder::new(out, level))
            }
            Compression::Zstd => {
                let level = i32::try_from(level.unwrap_or(1)).unwrap_or(1);
                Encoder::Zstd(zstd::stream::write::Encoder::new(out, level)?)
            }
            Compression::Xz => Encoder::Xz(liblzma::write::XzEncoder::new(out, nine(6))),
            Compression::Lzma => {
                let options = liblzma::stream::LzmaOptions::new_preset(nine(6))?;
                let stream = liblzma::stream::Stream::new_lzma_encoder(&options)?;
                Encoder::Xz(liblzma::write::XzEncoder::new_stream(out, stream))
            }
        })
    }

    /// Writes what is still held back.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Encoder::Plain(out) => Ok(out),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
            Encoder::Xz(encoder) => encoder.finish(),
        }
    }

    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Encoder::Plain(out) => out,
            Encoder::Gzip(encoder) => encoder,
            Encoder::Zstd(encoder) => encoder,
            Encoder::Xz(encoder) => encoder,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.inner().write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}
