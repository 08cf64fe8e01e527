//! Whose a disk is that a volume group is on, read from the disk itself.
//!
//! As lvm2 lays it out: a label in one of the first sectors, and at 4096 the header of an area with the
//! group's description as text, in which its tags are.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use uuid::Uuid;

use crate::Result;
use crate::error::At;

/// What a tag of a group begins with that was made for a pool; its identity follows.
const TAG: &str = "microcloud.pool=";
/// Where the header of the area is, and in it, each of eight bytes: where the area begins, its length, where
/// in it the text begins, and how long that is.
const HEADER: u64 = 4096;
const NUMBERS: usize = 24;
const MAGIC: &[u8] = b" LVM2 x[5A%r0N*>";
/// The text goes on behind the header when it comes to the end of the area.
const HEADER_SIZE: u64 = 512;
/// A description longer than this is none of a pool.
const LONGEST: u64 = 16 << 20;

/// The tag of a pool.
pub(super) fn tag(id: Option<Uuid>) -> String {
    format!("{TAG}{}", id.unwrap_or_default())
}

/// The pool that tags name.
pub(super) fn pool_of(tags: &[String]) -> Option<Uuid> {
    tags.iter().find_map(|tag| Uuid::parse_str(tag.strip_prefix(TAG)?).ok())
}

/// The pool whose volume group a disk or a file is for; None where it is for none.
pub(super) fn pool(path: &Path) -> Result<Option<Uuid>> {
    let disk = File::open(path).at("open", path)?;
    let Some(text) = description(&disk).at("read", path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    // The group's own tags come before those of its volumes, which are the same.
    let found = text.split_once(TAG).and_then(|(_, rest)| rest.get(..36));
    Ok(found.and_then(|id| Uuid::parse_str(id).ok()))
}

/// The description of the volume group on a disk.
fn description(disk: &File) -> std::io::Result<Option<Vec<u8>>> {
    let mut start = [0; HEADER as usize + 512];
    match disk.read_exact_at(&mut start, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (sectors, header) = start.split_at(HEADER as usize);
    let labelled = sectors[..2048].chunks(512).any(|sector| sector.starts_with(b"LABELONE"));
    if !labelled || &header[4..4 + MAGIC.len()] != MAGIC {
        return Ok(None);
    }
    let number = |n: usize| {
        let at = NUMBERS + n * 8;
        header[at..at + 8].try_into().map_or(0, u64::from_le_bytes)
    };
    let (area, length, at, size) = (number(0), number(1), number(2), number(3));
    if size == 0 || size > LONGEST || at >= length {
        return Ok(None);
    }
    let first = size.min(length - at);
    let mut text = vec![0; size as usize];
    let (head, tail) = text.split_at_mut(first as usize);
    disk.read_exact_at(head, area + at)?;
    disk.read_exact_at(tail, area + HEADER_SIZE)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk as lvm2 writes it, with a description that goes on behind the header.
    fn disk(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (area, length, first) = (4096_u64, 8192_u64, 10_usize);
        file.as_file().set_len(1 << 20).unwrap();
        let write = |data: &[u8], at: u64| file.as_file().write_all_at(data, at).unwrap();
        write(b"LABELONE", 512);
        write(MAGIC, HEADER + 4);
        for (n, value) in
            [area, length, length - first as u64, text.len() as u64].iter().enumerate()
        {
            write(&value.to_le_bytes(), HEADER + (NUMBERS + n * 8) as u64);
        }
        write(&text.as_bytes()[..first], area + length - first as u64);
        write(&text.as_bytes()[first..], area + HEADER_SIZE);
        file
    }

    #[test]
    fn a_disk_tells_whose_pool_it_is_of() {
        let id = Uuid::new_v4();
        let file = disk(&format!("vg0 {{\ntags = [\"other\", \"{}\"]\n", tag(Some(id))));
        assert_eq!(pool(file.path()).unwrap(), Some(id));
        assert_eq!(pool_of(&["x".into(), tag(Some(id))]), Some(id));
        let file = disk("vg0 {\ntags = [\"other\"]\n}\n");
        assert_eq!(pool(file.path()).unwrap(), None);
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(pool(empty.path()).unwrap(), None);
        empty.as_file().set_len(1 << 20).unwrap();
        assert_eq!(pool(empty.path()).unwrap(), None);
    }
}
