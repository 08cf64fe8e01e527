//! The variables that a UEFI firmware keeps, in its file: EDK2's authenticated variable store.
//!
//! ```text
//! firmware volume   header (UEFI PI, volume 3): length, checksum, blocks
//!   variable store  header: the format's GUID, size, "formatted", "healthy"
//!     variable*     state, attributes, time, name, vendor, data; each at a multiple of four
//!     (erased: 0xff)
//!   fault tolerant write  a queue (`WORKING`) and a spare area: what the firmware was about to copy
//! ```
//! From the headers of EDK2's `MdeModulePkg` (`VariableFormat.h`, `FaultTolerantWrite.h`). Pure: bytes in, bytes
//! out. Signatures are the firmware's business: it checks them when a system writes, and believes what is here.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// `gEfiSystemNvDataFvGuid`, as it lies in the file.
const VOLUME: [u8; 16] = guid(0xfff1_2b8d, 0x7696, 0x4c8b, 0xa985_2747_075b_4f50);
/// `gEfiAuthenticatedVariableGuid`.
const AUTHENTICATED: [u8; 16] = guid(0xaaf3_2c78, 0x947b, 0x439a, 0xa180_2e14_4ec3_7792);
/// `gEdkiiWorkingBlockSignatureGuid`.
const WORKING: [u8; 16] = guid(0x9e58_292b, 0x7c68, 0x497d, 0xa0ce_6500_fd9f_1b95);

/// Bytes of the volume's header without its blocks.
const VOLUME_HEADER: usize = 56;
/// Bytes of the store's header.
const STORE_HEADER: usize = 28;
/// Bytes of a variable's header.
const HEADER: usize = 60;
/// `FORMATTED` and `HEALTHY` of the store.
const STORE_STATE: [u8; 2] = [0x5a, 0xfe];
/// What a variable begins with.
const START: u16 = 0x55aa;
/// Of a variable that is whole; bits are taken away as it goes through its states.
const ADDED: u8 = 0x3f;
/// Of one that is to be replaced by another, if that one is whole.
const LEAVING: u8 = 0x3e;
/// Where the queue may begin: at a block.
const BLOCK: usize = 4096;
/// Bytes of the queue's header.
const WORKING_HEADER: usize = 32;
/// Bytes of the entry that begins a write.
const WRITE_HEADER: usize = 40;

/// A variable's attributes (UEFI, 8.2): it lasts.
const NON_VOLATILE: u32 = 1;
/// It is there before the system runs.
const BOOT_SERVICE: u32 = 2;
/// It is there for the system, too.
const RUNTIME: u32 = 4;
/// All attributes that a stored variable may have: those, of hardware errors, the two ways to be signed.
const ATTRIBUTES: u32 = 0x3f;

/// A variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variable {
    /// What it holds.
    pub data: Vec<u8>,
    /// Its attributes.
    pub attributes: u32,
    /// When one that is signed was last written: `EFI_TIME`.
    pub time: [u8; 16],
    /// Counts writes of one that is signed in the older way.
    count: u64,
    /// Which key that was.
    key: u32,
}

impl Variable {
    /// One with these attributes; `time` is all zero for one that is not signed.
    pub fn new(data: Vec<u8>, attributes: u32, time: [u8; 16]) -> Variable {
        Variable { data, attributes, time, count: 0, key: 0 }
    }
}

/// The variables by their names: `Boot0000-8be4df61-93ca-11d2-aa0d-00e098032b8c`.
pub type Variables = BTreeMap<String, Variable>;

/// Reads a file of variables.
///
/// # Errors
/// [`Error::Variables`] where it is none, or the firmware was ended amid a write.
pub fn read(file: &[u8]) -> Result<Variables> {
    let store = Store::find(file)?;
    let mut found = Variables::new();
    let mut leaving = Variables::new();
    let mut at = store.first;
    while let Some(start) = u16_at(file, at).filter(|_| at + HEADER <= store.end) {
        if start != START {
            break;
        }
        let stored = Stored::at(file, at, store.end)?;
        match stored.state {
            ADDED => drop(found.insert(stored.name, stored.variable)),
            LEAVING => drop(leaving.insert(stored.name, stored.variable)),
            _ => {}
        }
        at = stored.next;
    }
    for (name, variable) in leaving {
        found.entry(name).or_insert(variable);
    }
    Ok(found)
}

/// The file with these variables and no others. Those that were there keep what only the firmware knows of them.
///
/// # Errors
/// [`Error::Variables`] as [`read`], and where they do not fit, or one cannot be.
pub fn write(file: &[u8], variables: &Variables) -> Result<Vec<u8>> {
    let store = Store::find(file)?;
    let known = read(file)?;
    let mut new = file.to_vec();
    new[store.first..store.end].fill(0xff);
    let mut at = store.first;
    for (name, variable) in variables {
        let bytes = encoded(name, variable, known.get(name))?;
        let end = at + bytes.len();
        if end > store.end {
            let room = store.end - store.first;
            return Err(bad(format!(
                "they do not fit: the firmware has {room} bytes for all of them"
            )));
        }
        new[at..end].copy_from_slice(&bytes);
        at = end.next_multiple_of(4);
    }
    Ok(new)
}

/// Whether a name is one: letters, a hyphen and a GUID.
pub fn is_name(name: &str) -> bool {
    split(name).is_some()
}

/// Where the variables are.
struct Store {
    first: usize,
    end: usize,
}

impl Store {
    fn find(file: &[u8]) -> Result<Store> {
        let unlike = || bad(String::from("the file is no EDK2 variable store"));
        let volume = file.get(16..32).ok_or_else(unlike)?;
        if volume != VOLUME || file.get(40..44) != Some(b"_FVH") {
            return Err(unlike());
        }
        let length = u16_at(file, 48).map(usize::from).filter(|it| *it >= VOLUME_HEADER);
        let header = length.ok_or_else(unlike)?;
        if file.get(header..header + 16) != Some(&AUTHENTICATED[..]) {
            return Err(bad(String::from("the file has variables of another format")));
        }
        let size = u32_at(file, header + 16).map(|it| it as usize);
        let end = size.and_then(|size| header.checked_add(size));
        let end = end.filter(|end| *end <= file.len() && *end > header + STORE_HEADER);
        if file.get(header + 20..header + 22) != Some(&STORE_STATE[..]) {
            return Err(bad(String::from(
                "the firmware has not made its variable store ready: start it once",
            )));
        }
        let end = end.ok_or_else(unlike)?;
        if is_amid_a_write(&file[end..]) {
            let why =
                "the firmware was ended while it wrote them: start the instance once and stop it";
            return Err(bad(why.to_owned()));
        }
        Ok(Store { first: (header + STORE_HEADER).next_multiple_of(4), end })
    }
}

/// Whether the queue behind the store has a write that was begun and not ended. Its bits are taken away, too:
/// allocated, writes allocated, complete.
fn is_amid_a_write(rest: &[u8]) -> bool {
    let places =
        (0..rest.len()).step_by(8).filter(|at| rest.get(*at..at + 16) == Some(&WORKING[..]));
    // Whatever the volume's alignment is, the store's end is a multiple of eight and the queue begins a block.
    let Some(queue) = places.map(|at| at + WORKING_HEADER).next() else { return false };
    let mut at = queue;
    let block_end = (queue + BLOCK).min(rest.len());
    while at + WRITE_HEADER <= block_end {
        let (state, writes) = (rest[at], u64_at(rest, at + 24).unwrap_or(0));
        if state & 1 != 0 {
            return false;
        }
        if state & 4 != 0 {
            return state & 2 == 0;
        }
        let private = u64_at(rest, at + 32).unwrap_or(0);
        let Some(next) = entry_size(writes, private).and_then(|size| at.checked_add(size)) else {
            return false;
        };
        at = next;
    }
    false
}

/// `FTW_WRITE_TOTAL_SIZE`: the entry, and a record with private bytes for each of its writes.
fn entry_size(writes: u64, private: u64) -> Option<usize> {
    /// Bytes of a record.
    const RECORD: u64 = 40;
    let records = RECORD.checked_add(private)?.checked_mul(writes)?;
    usize::try_from(records.checked_add(WRITE_HEADER as u64)?).ok()
}

/// A variable as it lies in the store.
struct Stored {
    state: u8,
    name: String,
    variable: Variable,
    next: usize,
}

impl Stored {
    fn at(file: &[u8], at: usize, end: usize) -> Result<Stored> {
        let broken = || bad(format!("the one at byte {at} is broken"));
        let header = file.get(at..at + HEADER).ok_or_else(broken)?;
        let size = |offset| u32_at(header, offset).map(|size| size as usize).ok_or_else(broken);
        let (name_size, data_size) = (size(36)?, size(40)?);
        let name_end = (at + HEADER).checked_add(name_size).filter(|it| *it <= end);
        let name_end = name_end.ok_or_else(broken)?;
        let data_end =
            name_end.checked_add(data_size).filter(|it| *it <= end).ok_or_else(broken)?;
        let mut vendor = [0; 16];
        vendor.copy_from_slice(&header[44..60]);
        let mut time = [0; 16];
        time.copy_from_slice(&header[16..32]);
        let letters = file[at + HEADER..name_end].chunks_exact(2);
        let letters: Vec<u16> =
            letters.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let letters = letters.split(|letter| *letter == 0).next().unwrap_or_default();
        Ok(Stored {
            state: header[2],
            name: format!("{}-{}", String::from_utf16_lossy(letters), shown(vendor)),
            variable: Variable {
                data: file[name_end..data_end].to_vec(),
                attributes: u32_at(header, 4).ok_or_else(broken)?,
                time,
                count: u64_at(header, 8).ok_or_else(broken)?,
                key: u32_at(header, 32).ok_or_else(broken)?,
            },
            next: data_end.next_multiple_of(4),
        })
    }
}

fn encoded(name: &str, variable: &Variable, known: Option<&Variable>) -> Result<Vec<u8>> {
    let wrong = |why: &str| bad(format!("\"{name}\": {why}"));
    let (letters, vendor) = split(name)
        .ok_or_else(|| wrong("a name is letters, a hyphen and a GUID in small letters"))?;
    check(variable).map_err(wrong)?;
    let letters: Vec<u8> = letters.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let size = |length: usize| u32::try_from(length).map_err(|_| wrong("it is too long"));
    let (name_size, data_size) = (size(letters.len())?, size(variable.data.len())?);
    let (count, key) = known.map_or((0, 0), |known| (known.count, known.key));
    let mut bytes = Vec::with_capacity(HEADER + letters.len() + variable.data.len());
    bytes.extend(START.to_le_bytes());
    bytes.extend([ADDED, 0]);
    bytes.extend(variable.attributes.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(variable.time);
    bytes.extend(key.to_le_bytes());
    bytes.extend(name_size.to_le_bytes());
    bytes.extend(data_size.to_le_bytes());
    bytes.extend(vendor);
    bytes.extend(letters);
    bytes.extend(&variable.data);
    Ok(bytes)
}

fn check(variable: &Variable) -> std::result::Result<(), &'static str> {
    let attributes = variable.attributes;
    if variable.data.is_empty() {
        return Err("data: it is empty, which means that there is no such variable: leave it out");
    }
    if attributes & NON_VOLATILE == 0 {
        return Err("attr: bit 1 (non-volatile) is missing: only what lasts is in the store");
    }
    if attributes & RUNTIME != 0 && attributes & BOOT_SERVICE == 0 {
        return Err("attr: bit 4 (runtime) needs bit 2 (boot service)");
    }
    if attributes & !ATTRIBUTES != 0 {
        return Err("attr: there are the bits 1, 2, 4, 8, 16 and 32");
    }
    Ok(())
}

/// Name and vendor.
fn split(name: &str) -> Option<(&str, [u8; 16])> {
    let at = name.len().checked_sub(36)?;
    let (letters, vendor) = (name.get(..at)?.strip_suffix('-')?, name.get(at..)?);
    let plain = !letters.is_empty() && !letters.contains('\0');
    let small = !vendor.contains(|letter: char| letter.is_ascii_uppercase());
    Some((letters, parsed(vendor)?)).filter(|_| plain && small)
}

/// A GUID's first three numbers lie with their last byte first.
const fn guid(a: u32, b: u16, c: u16, d: u64) -> [u8; 16] {
    let (a, b, c, d) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes(), d.to_be_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]
}

fn parsed(text: &str) -> Option<[u8; 16]> {
    let parts: Vec<&str> = text.split('-').collect();
    let [a, b, c, d, e] = parts[..] else { return None };
    let fit = [(a, 8), (b, 4), (c, 4), (d, 4), (e, 12)];
    let hex = |(part, length): &(&str, usize)| {
        part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if !fit.iter().all(hex) {
        return None;
    }
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let small = |text| u16::try_from(number(text)?).ok();
    let a = u32::try_from(number(a)?).ok()?;
    Some(guid(a, small(b)?, small(c)?, number(d)? << 48 | number(e)?))
}

fn shown(guid: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = guid;
    let first = u32::from_le_bytes([a, b, c, d]);
    let (second, third) = (u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    let rest = u64::from_be_bytes(rest);
    format!(
        "{first:08x}-{second:04x}-{third:04x}-{:04x}-{:012x}",
        rest >> 48,
        rest & 0xffff_ffff_ffff
    )
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn bad(why: String) -> Error {
    Error::Variables { why }
}

#[cfg(test)]
mod tests;
