//! The first record of a stream, which says what is in it: `dmu_replay_record_t` with a `drr_begin`, in the
//! byte order of who wrote it (`zfs_ioctl.h`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use crate::error::At;
use crate::{Error, Result};

/// Bytes of the record as far as it is looked at.
const LENGTH: usize = 56;
const MAGIC: u64 = 0x2_f5ba_cbac;
/// `DMU_OST_ZVOL`.
const DISK: u64 = 3;

/// What a stream says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_disk: bool,
    /// The state that it starts from.
    pub(super) base: Option<u64>,
}

/// A stream whose head was read.
pub(super) struct Rest {
    head: Vec<u8>,
    rest: File,
}

/// Reads the head.
pub(super) fn look(from: OwnedFd) -> Result<(Head, Rest)> {
    let (mut rest, mut head) = (File::from(from), vec![0; LENGTH]);
    match rest.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Error::Stream { why: "it ends too early" });
        }
        other => other.at("read", "a stream")?,
    }
    let parsed = parse(&head).ok_or(Error::Stream { why: "it is none of ZFS" })?;
    Ok((parsed, Rest { head, rest }))
}

fn parse(head: &[u8]) -> Option<Head> {
    let word = |at: usize| -> Option<[u8; 8]> { head.get(at..at + 8)?.try_into().ok() };
    let swapped = match word(8)? {
        magic if u64::from_le_bytes(magic) == MAGIC => false,
        magic if u64::from_be_bytes(magic) == MAGIC => true,
        _ => return None,
    };
    let number =
        |bytes| if swapped { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) };
    let kinds = word(32)?;
    // Two numbers of four bytes: of what kind it is, and flags.
    let kind = if swapped { number(kinds) >> 32 } else { number(kinds) & 0xffff_ffff };
    let base = number(word(48)?);
    Some(Head { is_disk: kind == DISK, base: (base != 0).then_some(base) })
}

impl Rest {
    /// Gives the whole stream to a reader.
    pub(super) fn through<T>(self, read: impl FnOnce(File) -> Result<T>) -> Result<T> {
        let (reader, mut writer) = io::pipe().at("make a pipe for", "a stream")?;
        let Rest { head, mut rest } = self;
        std::thread::scope(|scope| {
            // Who reads says what is wrong if this ends early.
            scope.spawn(move || {
                writer.write_all(&head).and_then(|()| io::copy(&mut rest, &mut writer))
            });
            read(File::from(OwnedFd::from(reader)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_in_either_order() {
        let mut words = [0_u64, MAGIC, 0, 0, 2, 77, 0];
        let bytes =
            |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(parse(&bytes(&words)).unwrap(), Head { is_disk: false, base: None });
        words[6] = 99;
        words[4] = DISK | 4 << 32;
        assert_eq!(parse(&bytes(&words)).unwrap(), Head { is_disk: true, base: Some(99) });
        words[4] = DISK << 32 | 4;
        let swapped: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        assert_eq!(parse(&swapped).unwrap(), Head { is_disk: true, base: Some(99) });
        assert_eq!(parse(&[7; LENGTH]), None);
    }
}
