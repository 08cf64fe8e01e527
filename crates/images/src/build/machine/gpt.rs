//! A disk's table of partitions (GPT; UEFI specification, chapter 5), as bytes.

/// Bytes of a sector.
pub(super) const SECTOR: u64 = 512;
/// Sectors at the beginning and at the end of a disk that are the table's: a header, 128 entries, and at the
/// beginning what tells old programs that the disk is taken.
const TABLE: u64 = 33;
const ENTRIES: u32 = 128;
const ENTRY: usize = 128;

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Where the firmware looks for loaders.
    Loader,
    /// The root of a system on this architecture, by which systemd grows it.
    Root,
}

impl Purpose {
    /// From the UEFI specification, and the Discoverable Partitions Specification.
    fn uuid(self) -> &'static str {
        match (self, cfg!(target_arch = "aarch64")) {
            (Purpose::Loader, _) => "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            (Purpose::Root, false) => "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
            (Purpose::Root, true) => "b921b045-1df0-41c3-af44-4c6f280d3fae",
        }
    }
}

/// A partition.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) purpose: Purpose,
    pub(super) uuid: String,
    /// Bytes; multiples of a sector.
    pub(super) start: u64,
    pub(super) length: u64,
}

/// What stands at the beginning of a disk of so many bytes, and what at its end.
pub(super) fn tables(size: u64, uuid: &str, partitions: &[Partition]) -> (Vec<u8>, Vec<u8>) {
    let sectors = size / SECTOR;
    let mut entries = vec![0; ENTRIES as usize * ENTRY];
    for (partition, entry) in partitions.iter().zip(entries.chunks_mut(ENTRY)) {
        entry[..16].copy_from_slice(&guid(partition.purpose.uuid()));
        entry[16..32].copy_from_slice(&guid(&partition.uuid));
        let first = partition.start / SECTOR;
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        let last = first + partition.length / SECTOR - 1;
        entry[40..48].copy_from_slice(&last.to_le_bytes());
    }
    let last = sectors - 1;
    let head =
        |own: u64, other: u64, table: u64| header([own, other, table], sectors, uuid, &entries);
    let begin = [protective(sectors), head(1, last, 2), entries.clone()].concat();
    let end = [entries.clone(), head(last, 1, sectors - TABLE)].concat();
    (begin, end)
}

fn header([own, other, table]: [u64; 3], sectors: u64, uuid: &str, entries: &[u8]) -> Vec<u8> {
    let mut to = vec![0; SECTOR as usize];
    let mut put = |at: usize, bytes: &[u8]| to[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"EFI PART\0\0\x01\0");
    put(12, &92_u32.to_le_bytes());
    put(24, &own.to_le_bytes());
    put(32, &other.to_le_bytes());
    put(40, &(TABLE + 1).to_le_bytes());
    put(48, &(sectors - TABLE - 1).to_le_bytes());
    put(56, &guid(uuid));
    put(72, &table.to_le_bytes());
    put(80, &ENTRIES.to_le_bytes());
    put(84, &(ENTRY as u32).to_le_bytes());
    put(88, &sum(entries).to_le_bytes());
    let own_sum = sum(&to[..92]);
    to[16..20].copy_from_slice(&own_sum.to_le_bytes());
    to
}

/// The table of old, in which one partition of an unknown kind takes the whole disk.
fn protective(sectors: u64) -> Vec<u8> {
    let mut to = vec![0; SECTOR as usize];
    to[446..454].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    to[454..458].copy_from_slice(&1_u32.to_le_bytes());
    let length = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    to[458..462].copy_from_slice(&length.to_le_bytes());
    to[510..].copy_from_slice(&[0x55, 0xaa]);
    to
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A UUID as tables of partitions have it: the first three numbers with their lowest byte first.
fn guid(text: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_what_the_specification_says() {
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(guid(uuid)[..8], [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66]);
        let root = Partition {
            purpose: Purpose::Root,
            uuid: uuid.to_owned(),
            start: 1 << 20,
            length: 2 << 20,
        };
        let (begin, end) = tables(8 << 20, uuid, &[root]);
        assert_eq!((begin.len(), end.len()), (34 * 512, 33 * 512));
        let number = |at: usize| u64::from_le_bytes(begin[at..at + 8].try_into().unwrap());
        assert_eq!(&begin[512..520], b"EFI PART");
        // Its own sector, the other table's, the first and the last that are free.
        assert_eq!([24, 32, 40, 48].map(|at| number(512 + at)), [1, 16_383, 34, 16_350]);
        assert_eq!([number(1024 + 32), number(1024 + 40)], [2048, 6143]);
        assert_eq!(begin[1024..], end[..end.len() - 512], "both have the same entries");
        let mut header = begin[512..604].to_vec();
        let told: Vec<u8> = header.splice(16..20, [0; 4]).collect();
        assert_eq!(told, sum(&header).to_le_bytes());
    }
}
