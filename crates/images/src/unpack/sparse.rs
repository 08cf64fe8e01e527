//! Files with holes in GNU tar's format 1.0 for extended headers: the map stands before the data.
//! (The older form in plain headers is read by the crate `tar`.)

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::Result;
use crate::archive::Item;

/// More parts than any honest file has.
const MAX_PARTS: usize = 1 << 20;
const BLOCK: usize = 512;

/// What the extended headers say of such a file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: PathBuf,
    pub(super) size: u64,
}

impl Header {
    /// None for an ordinary entry.
    pub(super) fn find(extensions: &[(String, Vec<u8>)]) -> Result<Option<Header>, &'static str> {
        let get =
            |name: &str| extensions.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        if !extensions.iter().any(|(key, _)| key.starts_with("GNU.sparse.")) {
            return Ok(None);
        }
        if get("GNU.sparse.major").map(Vec::as_slice) != Some(b"1") {
            return Err("has holes in a form we do not read");
        }
        let name = get("GNU.sparse.name").ok_or("has holes and no name")?;
        let size = get("GNU.sparse.realsize").and_then(|digits| number(digits));
        let name = PathBuf::from(OsStr::from_bytes(name));
        Ok(Some(Header { name, size: size.ok_or("has holes and no size")? }))
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads the map: start and length of each part, in order and within `size`.
pub(super) fn map(item: &mut Item, size: u64) -> Result<Vec<(u64, u64)>> {
    let mut numbers = Numbers { block: [0; BLOCK], at: BLOCK };
    let count = numbers.next(item)?;
    if count > MAX_PARTS as u64 {
        return Err(item.hostile("has too many holes"));
    }
    let mut parts = Vec::new();
    let mut end = 0;
    for _ in 0..count {
        let (start, length) = (numbers.next(item)?, numbers.next(item)?);
        let next = start.checked_add(length).filter(|next| *next <= size && start >= end);
        end = next.ok_or_else(|| item.hostile("has a map that makes no sense"))?;
        parts.push((start, length));
    }
    Ok(parts)
}

/// Decimal numbers, a line each, in whole blocks.
struct Numbers {
    block: [u8; BLOCK],
    at: usize,
}

impl Numbers {
    fn next(&mut self, item: &mut Item) -> Result<u64> {
        let mut value: u64 = 0;
        loop {
            if self.at == BLOCK {
                self.refill(item)?;
            }
            let byte = self.block[self.at];
            self.at += 1;
            let digit = match byte {
                b'\n' => return Ok(value),
                b'0'..=b'9' => u64::from(byte - b'0'),
                _ => return Err(item.hostile("has a map that is no numbers")),
            };
            let next = value.checked_mul(10).and_then(|value| value.checked_add(digit));
            value = next.ok_or_else(|| item.hostile("has a map with a number too large"))?;
        }
    }

    fn refill(&mut self, item: &mut Item) -> Result<()> {
        let mut filled = 0;
        while filled < BLOCK {
            match item.read(&mut self.block[filled..])? {
                0 => return Err(item.hostile("has a map without an end")),
                read => filled += read,
            }
        }
        self.at = 0;
        Ok(())
    }
}
