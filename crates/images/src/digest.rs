//! SHA-256 while bytes pass by: an image's fingerprint.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

/// A fingerprint in the making: feed it the one file, or the metadata file and then the root's.
#[derive(Clone, Default)]
pub struct Digest {
    hash: Sha256,
    bytes: u64,
}

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Digest {
        Digest::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.hash.update(data);
        self.bytes += data.len() as u64;
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fingerprint: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.hash.clone().finalize() {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        text
    }
}

/// Passes bytes through and hashes them.
pub(crate) struct Hashing<'a, T> {
    pub(crate) inner: T,
    pub(crate) digest: &'a mut Digest,
}

impl<T: Read> Read for Hashing<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}

impl<T: Write> Write for Hashing<'_, T> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(data)?;
        self.digest.update(&data[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_fingerprint_of_abc() {
        let mut digest = Digest::new();
        digest.update(b"a");
        digest.update(b"bc");
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((digest.fingerprint().as_str(), digest.bytes()), (known, 3));
    }
}
