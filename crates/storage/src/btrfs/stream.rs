//! The kernel's stream as commands: `fs/btrfs/send.h`, version 1.
//!
//! ```text
//! "btrfs-stream\0" version:u32   then commands:
//! length:u32 command:u16 checksum:u32   then attributes: kind:u16 length:u16 bytes
//! ```
//! All numbers are little-endian. A stream may come from anybody: nothing in it is trusted.

use std::io::{ErrorKind, Read};

use crate::error::At;
use crate::{Error, Result};

const MAGIC: &[u8; 13] = b"btrfs-stream\0";
const VERSION: u32 = 1;
/// A command of version 1 is at most 64 KiB (`BTRFS_SEND_BUF_SIZE_V1`) with its head.
const MAX: usize = 64 << 10;
const HEAD: usize = 10;

/// What a command does (`enum btrfs_send_cmd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Subvolume,
    Snapshot,
    MakeFile,
    MakeFolder,
    MakeNode,
    MakePipe,
    MakeSocket,
    MakeLink,
    Rename,
    Link,
    Unlink,
    RemoveFolder,
    SetAttribute,
    RemoveAttribute,
    Write,
    Clone,
    Truncate,
    Mode,
    Owner,
    Times,
    End,
}

impl Verb {
    fn of(number: u16) -> Option<Verb> {
        const ALL: [Verb; 21] = [
            Verb::Subvolume,
            Verb::Snapshot,
            Verb::MakeFile,
            Verb::MakeFolder,
            Verb::MakeNode,
            Verb::MakePipe,
            Verb::MakeSocket,
            Verb::MakeLink,
            Verb::Rename,
            Verb::Link,
            Verb::Unlink,
            Verb::RemoveFolder,
            Verb::SetAttribute,
            Verb::RemoveAttribute,
            Verb::Write,
            Verb::Clone,
            Verb::Truncate,
            Verb::Mode,
            Verb::Owner,
            Verb::Times,
            Verb::End,
        ];
        ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// A value of a command (`enum` of `BTRFS_SEND_A_`).
#[derive(Debug, Clone, Copy)]
#[repr(u16)]
pub(super) enum Field {
    Uuid = 1,
    Size = 4,
    Mode = 5,
    User = 6,
    Group = 7,
    Device = 8,
    Modified = 10,
    Accessed = 11,
    AttributeName = 13,
    AttributeValue = 14,
    Path = 15,
    To = 16,
    Target = 17,
    Offset = 18,
    Data = 19,
    CloneUuid = 20,
    ClonePath = 22,
    CloneOffset = 23,
    CloneLength = 24,
}

/// One command.
pub(super) struct Command {
    pub(super) verb: Verb,
    body: Vec<u8>,
}

impl Command {
    /// A value that the command must have.
    pub(super) fn get(&self, field: Field) -> Result<&[u8]> {
        let mut rest = &self.body[..];
        while let Some((head, after)) = rest.split_first_chunk::<4>() {
            let (kind, length) = (u16_at(head, 0), u16_at(head, 2));
            let Some(value) = after.get(..length.into()) else { break };
            if kind == field as u16 {
                return Ok(value);
            }
            rest = &after[value.len()..];
        }
        Err(Error::Stream { why: "a command lacks a value" })
    }

    /// A number that the command must have.
    pub(super) fn number(&self, field: Field) -> Result<u64> {
        let value = self.get(field)?;
        let Ok(bytes) = value.try_into() else {
            return Err(Error::Stream { why: "a number is not as long as numbers are" });
        };
        Ok(u64::from_le_bytes(bytes))
    }

    /// Seconds and nanoseconds.
    pub(super) fn time(&self, field: Field) -> Result<(i64, i64)> {
        let value = self.get(field)?;
        let (Some(seconds), Some(nanos)) = (value.first_chunk::<8>(), value.get(8..12)) else {
            return Err(Error::Stream { why: "a time is not as long as times are" });
        };
        let nanos = nanos.iter().rev().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
        Ok((i64::from_le_bytes(*seconds), nanos))
    }
}

/// Reads a stream.
pub(super) struct Reader<R> {
    from: R,
}

impl<R: Read> Reader<R> {
    /// Looks at the head.
    pub(super) fn new(mut from: R) -> Result<Reader<R>> {
        let mut head = [0; MAGIC.len() + 4];
        fill(&mut from, &mut head)?;
        if head[..MAGIC.len()] != MAGIC[..] {
            return Err(Error::Stream { why: "it is none of btrfs" });
        }
        match u32_at(&head, MAGIC.len()) {
            VERSION => Ok(Reader { from }),
            _ => Err(Error::Stream { why: "it is not of version 1" }),
        }
    }

    /// The next command; the last one is [`Verb::End`].
    pub(super) fn next(&mut self) -> Result<Command> {
        let mut head = [0; HEAD];
        fill(&mut self.from, &mut head)?;
        let (length, sum) = (u32_at(&head, 0) as usize, u32_at(&head, 6));
        if length > MAX {
            return Err(Error::Stream { why: "a command is too long" });
        }
        let mut body = vec![0; length];
        fill(&mut self.from, &mut body)?;
        head[6..].fill(0);
        if crc32c(crc32c(0, &head), &body) != sum {
            return Err(Error::Stream { why: "it is damaged: a checksum is wrong" });
        }
        let verb =
            Verb::of(u16_at(&head, 4)).ok_or(Error::Stream { why: "a command is unknown" })?;
        Ok(Command { verb, body })
    }
}

fn fill(from: &mut impl Read, into: &mut [u8]) -> Result<()> {
    match from.read_exact(into) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(Error::Stream { why: "it ends too early" })
        }
        other => other.at("read", "a stream"),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// The checksum of the kernel's `crc32c()`: the Castagnoli polynomial, not inverted.
fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |sum, byte| (sum >> 8) ^ TABLE[usize::from(sum as u8 ^ byte)])
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let (mut value, mut bit) = (n as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
}

/// Streams as the kernel would not write them.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A command with its values.
    pub(in crate::btrfs) type Made = (Verb, Vec<(Field, Vec<u8>)>);

    pub(in crate::btrfs) fn stream(commands: &[Made]) -> Vec<u8> {
        let mut all = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        commands.iter().for_each(|(verb, values)| all.extend(command(*verb, values)));
        all
    }

    fn command(verb: Verb, values: &[(Field, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (field, value) in values {
            body.extend((*field as u16).to_le_bytes());
            body.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
            body.extend(value);
        }
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
        head[4..6].copy_from_slice(&(verb as u16 + 1).to_le_bytes());
        let sum = crc32c(crc32c(0, &head), &body);
        head[6..].copy_from_slice(&sum.to_le_bytes());
        [&head[..], &body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4: 32 bytes of zeros, inverted before and after.
        assert_eq!(!crc32c(!0, &[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn what_is_no_stream_is_told_as_that() {
        let wrong = |bytes: &[u8]| Reader::new(bytes).err().unwrap().to_string();
        assert_eq!(wrong(b"btrfs"), "cannot read the stream: it ends too early");
        assert_eq!(wrong(&[7; 40]), "cannot read the stream: it is none of btrfs");
        let mut newer = MAGIC.to_vec();
        newer.extend([2, 0, 0, 0]);
        assert_eq!(wrong(&newer), "cannot read the stream: it is not of version 1");
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let whole = testing::stream(&[(Verb::MakeFolder, vec![(Field::Path, b"a".to_vec())])]);
        let good = &whole[MAGIC.len() + 4..];
        let command = Reader { from: good }.next().unwrap();
        assert_eq!(
            (command.verb, command.get(Field::Path).unwrap()),
            (Verb::MakeFolder, &b"a"[..])
        );
        for at in [4, 7, 14] {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            assert!(Reader { from: &bad[..] }.next().is_err(), "byte {at}");
        }
    }
}
