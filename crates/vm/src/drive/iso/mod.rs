//! Writes a disc: ISO 9660 (ECMA-119) with Rock Ridge, which Linux and the BSDs read, and Joliet, which Windows
//! does. Only what a drive needs: a few files, folders one level deep, no more than a sector of names in each.
//!
//! ```text
//! 16 primary descriptor, 17 Joliet's, 18 end, 19-22 path tables, then folders, then what is in the files
//! ```

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use super::Item;

const SECTOR: usize = 2048;
/// The first sector behind descriptors and path tables.
const FOLDERS: u32 = 23;
/// Folders and files have a date, and no drive is to differ for it: the first of January 2026.
const DATE: [u8; 7] = [126, 1, 1, 0, 0, 0, 0];

/// How names are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    RockRidge,
    Joliet,
}

const BOTH: [Names; 2] = [Names::RockRidge, Names::Joliet];

/// Where something is on the disc.
#[derive(Clone, Copy, Default)]
struct Extent {
    sector: u32,
    bytes: u32,
}

/// A folder with the numbers of its files.
struct Folder<'a> {
    name: &'a str,
    files: Vec<usize>,
}

struct Disc<'a> {
    items: &'a [Item],
    files: Vec<Extent>,
    /// The root first.
    folders: Vec<Folder<'a>>,
    sectors: u32,
}

/// Writes a disc with this label and these files.
///
/// # Errors
/// A file cannot be read, the disc not be written, or there are more names than it can hold.
pub fn write(label: &str, items: &[Item], to: &mut impl Write) -> io::Result<()> {
    let disc = Disc::plan(items)?;
    to.write_all(&[0; 16 * SECTOR])?;
    for names in BOTH {
        to.write_all(&disc.descriptor(names, label))?;
    }
    let mut end = vec![0; SECTOR];
    end[..7].copy_from_slice(b"\xffCD001\x01");
    to.write_all(&end)?;
    for names in BOTH {
        to.write_all(&sector(disc.path_table(names, u32::to_le_bytes, u16::to_le_bytes))?)?;
        to.write_all(&sector(disc.path_table(names, u32::to_be_bytes, u16::to_be_bytes))?)?;
    }
    for names in BOTH {
        for at in 0..disc.folders.len() {
            to.write_all(&sector(disc.records(names, at))?)?;
        }
    }
    for (item, extent) in items.iter().zip(&disc.files) {
        // A file that grows meanwhile is cut, one that shrinks fails: the places are given.
        let copied = io::copy(&mut item.open()?.1.take(extent.bytes.into()), to)?;
        if copied != u64::from(extent.bytes) {
            return Err(io::Error::other(format!("{} became shorter", item.path)));
        }
        let over = extent.bytes as usize % SECTOR;
        to.write_all(&vec![0; (SECTOR - over) % SECTOR])?;
    }
    Ok(())
}

fn sector(mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if bytes.len() > SECTOR {
        return Err(io::Error::other("a drive cannot hold so many files"));
    }
    bytes.resize(SECTOR, 0);
    Ok(bytes)
}

impl<'a> Disc<'a> {
    fn plan(items: &'a [Item]) -> io::Result<Disc<'a>> {
        let mut by_folder: BTreeMap<&str, Vec<usize>> = BTreeMap::from([("", Vec::new())]);
        for (at, item) in items.iter().enumerate() {
            let folder = item.path.split_once('/').map_or("", |(folder, _)| folder);
            by_folder.entry(folder).or_default().push(at);
        }
        let folders = by_folder.into_iter().map(|(name, files)| Folder { name, files });
        let folders: Vec<_> = folders.collect();
        let mut next = FOLDERS + sectors(folders.len() * BOTH.len() * SECTOR);
        let mut files = Vec::new();
        for item in items {
            let bytes = u32::try_from(item.open()?.0).map_err(io::Error::other)?;
            files.push(Extent { sector: next, bytes });
            next += sectors(bytes as usize);
        }
        Ok(Disc { items, files, folders, sectors: next })
    }

    fn folder(&self, names: Names, at: usize) -> Extent {
        let first = if names == Names::Joliet { self.folders.len() } else { 0 };
        Extent { sector: FOLDERS + sectors((first + at) * SECTOR), bytes: SECTOR as u32 }
    }

    fn descriptor(&self, names: Names, label: &str) -> Vec<u8> {
        let joliet = names == Names::Joliet;
        let mut to = vec![0; SECTOR];
        let mut put = |at: usize, bytes: &[u8]| to[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, if joliet { b"\x02CD001\x01" } else { b"\x01CD001\x01" });
        let words = |text: &str, size: usize| match joliet {
            true => wide(&format!("{text:<width$}", width = size / 2))[..size / 2 * 2].to_vec(),
            false => format!("{text:<size$}").into_bytes(),
        };
        put(8, &words("", 32));
        put(40, &words(label, 32));
        put(80, &both(self.sectors));
        if joliet {
            put(88, b"%/E");
        }
        put(120, &both_short(1));
        put(124, &both_short(1));
        put(128, &both_short(SECTOR as u16));
        let table = self.path_table(names, u32::to_le_bytes, u16::to_le_bytes);
        put(132, &both(table.len() as u32));
        let tables = if joliet { 21 } else { 19 };
        put(140, &u32::to_le_bytes(tables));
        put(148, &u32::to_be_bytes(tables + 1));
        put(156, &record(b"\0", self.folder(names, 0), true, &[]));
        for (at, size) in
            [(190, 128), (318, 128), (446, 128), (574, 128), (702, 37), (739, 37), (776, 37)]
        {
            put(at, &words("", size));
        }
        for at in [813, 830, 847, 864] {
            put(at, b"0000000000000000\0");
        }
        put(881, &[1]);
        to
    }

    fn path_table(
        &self,
        names: Names,
        long: fn(u32) -> [u8; 4],
        short: fn(u16) -> [u8; 2],
    ) -> Vec<u8> {
        let mut to = Vec::new();
        for (at, folder) in self.folders.iter().enumerate() {
            let name = if at == 0 { vec![0] } else { name_of(names, at, folder.name, true) };
            to.extend([name.len() as u8, 0]);
            to.extend(long(self.folder(names, at).sector));
            // All are in the root, which is the first.
            to.extend(short(1));
            to.extend(&name);
            to.extend(&[0][..name.len() % 2]);
        }
        to
    }

    /// The records of a folder: itself, the one above, what is in it.
    fn records(&self, names: Names, at: usize) -> Vec<u8> {
        let ridge = |entries: Vec<u8>| if names == Names::RockRidge { entries } else { Vec::new() };
        let (own, root) = (self.folder(names, at), self.folder(names, 0));
        let mut itself = rock_mode(0o040_700);
        if at == 0 {
            itself = [b"SP\x07\x01\xbe\xef\0", &itself[..], b"ER\x12\x01\x0a\0\0\x01RRIP_1991A"]
                .concat();
        }
        let mut to = record(b"\0", own, true, &ridge(itself));
        to.extend(record(b"\x01", root, true, &ridge(rock_mode(0o040_700))));
        let mut inside: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |id: Vec<u8>, name: &str, extent, folder, mode| {
            let rock = ridge([rock_mode(mode), rock_name(name)].concat());
            inside.push((id.clone(), record(&id, extent, folder, &rock)));
        };
        if at == 0 {
            for (at, folder) in self.folders.iter().enumerate().skip(1) {
                let id = name_of(names, at, folder.name, true);
                add(id, folder.name, self.folder(names, at), true, 0o040_700);
            }
        }
        for &file in &self.folders[at].files {
            let item = &self.items[file];
            let name = item.path.rsplit('/').next().unwrap_or_default();
            let mode = if item.executable { 0o100_700 } else { 0o100_600 };
            add(name_of(names, file, name, false), name, self.files[file], false, mode);
        }
        inside.sort();
        to.extend(inside.into_iter().flat_map(|(_, record)| record));
        to
    }
}

fn sectors(bytes: usize) -> u32 {
    bytes.div_ceil(SECTOR) as u32
}

/// Plain ISO 9660 has but a few letters: those who read no more get numbers.
fn name_of(names: Names, at: usize, name: &str, folder: bool) -> Vec<u8> {
    match (names, folder) {
        (Names::Joliet, _) => wide(name),
        (Names::RockRidge, true) => format!("D{at:03}").into_bytes(),
        (Names::RockRidge, false) => format!("F{at:03}.;1").into_bytes(),
    }
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn record(name: &[u8], extent: Extent, folder: bool, more: &[u8]) -> Vec<u8> {
    let mut to = vec![0, 0];
    to.extend(both(extent.sector));
    to.extend(both(extent.bytes));
    to.extend(DATE);
    to.extend([if folder { 2 } else { 0 }, 0, 0]);
    to.extend(both_short(1));
    to.push(name.len() as u8);
    to.extend(name);
    to.extend(&[0][..(name.len() + 1) % 2]);
    to.extend(more);
    to.extend(&[0][..to.len() % 2]);
    to[0] = to.len() as u8;
    to
}

/// Rock Ridge's mode, links and owner, who is root.
fn rock_mode(mode: u32) -> Vec<u8> {
    let links = if mode & 0o040_000 != 0 { 2 } else { 1 };
    [&b"PX\x24\x01"[..], &both(mode), &both(links), &both(0), &both(0)].concat()
}

fn rock_name(name: &str) -> Vec<u8> {
    [&b"NM"[..], &[5 + name.len() as u8, 1, 0], name.as_bytes()].concat()
}

/// A number in both orders of bytes, as most are in ISO 9660.
fn both(number: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn both_short(number: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (number.to_le_bytes(), number.to_be_bytes());
    [a, b, c, d]
}

#[cfg(test)]
mod tests;
