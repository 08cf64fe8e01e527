//! The labels of a pool of ZFS on its disk, as far as they say whose it is: by the on-disk specification, lists in XDR,
//! with entries as they are (a name, a type, how many, the value).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use uuid::Uuid;

use crate::Result;
use crate::error::At;

/// The first two labels of a disk, 256 KiB each.
const LABELS: u64 = 512 << 10;
/// Where the labels are: at the beginning, or in the first partition that `zpool` makes on a whole disk, at its sector
/// 2048, of 512 or 4096 bytes.
const PLACES: [u64; 3] = [0, 1 << 20, 8 << 20];
/// The comment, before its 32 characters: the identity of ours.
const COMMENT: &[u8] = b"comment\0\0\0\0\x09\0\0\0\x01\0\0\0\x20";
/// The number of the pool, before its eight bytes.
const NUMBER: &[u8] = b"pool_guid\0\0\0\0\0\0\x08\0\0\0\x01";

/// What a label says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    /// The pool of ours that it was made for.
    pub(super) pool: Option<Uuid>,
    /// What ZFS itself knows it by.
    pub(super) number: u64,
}

/// The label on a disk, on its first partition, or in a file.
pub(super) fn read(path: &Path) -> Result<Option<Label>> {
    for place in PLACES {
        if let Some(found) = at(path, place)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The label that begins there.
pub(super) fn at(path: &Path, place: u64) -> Result<Option<Label>> {
    let mut disk = File::open(path).at("open", path)?;
    let mut labels = Vec::new();
    disk.seek(SeekFrom::Start(place)).at("read", path)?;
    disk.take(LABELS).read_to_end(&mut labels).at("read", path)?;
    Ok(parse(&labels))
}

fn parse(labels: &[u8]) -> Option<Label> {
    let after = |name: &[u8], length: usize| {
        let at = labels.windows(name.len()).position(|seen| seen == name)? + name.len();
        labels.get(at..at + length)
    };
    let number = u64::from_be_bytes(after(NUMBER, 8)?.try_into().ok()?);
    let pool = after(COMMENT, 32).and_then(|id| Uuid::try_parse_ascii(id).ok());
    Some(Label { pool, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_whose_pool_it_is_and_its_number() {
        let id = Uuid::new_v4();
        let mut label = vec![0; 300];
        label.extend_from_slice(NUMBER);
        label.extend_from_slice(&77_u64.to_be_bytes());
        assert_eq!(parse(&label).unwrap(), Label { pool: None, number: 77 });
        label.extend_from_slice(COMMENT);
        label.extend_from_slice(id.simple().to_string().as_bytes());
        assert_eq!(parse(&label).unwrap(), Label { pool: Some(id), number: 77 });
        assert_eq!(parse(&label[..310]), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(read(file.path()).unwrap(), None);
        let mut partitioned = vec![0; 1 << 20];
        partitioned.extend_from_slice(&label);
        std::fs::write(file.path(), partitioned).unwrap();
        assert_eq!(read(file.path()).unwrap().unwrap().number, 77);
        assert_eq!(at(file.path(), 0).unwrap(), None);
    }
}
