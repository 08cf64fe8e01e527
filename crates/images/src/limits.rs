//! How large an image may become, so that a small file cannot fill a disk.

/// Bounds on what an image unpacks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together.
    pub max_bytes: u64,
    /// Files, folders and links together.
    pub max_entries: u64,
    /// Bytes of one file with its holes, which take no room.
    pub max_file: u64,
}

impl Limits {
    /// Those of a backup that is to go where `room` bytes are free.
    pub fn of_backup(room: u64) -> Limits {
        Limits { max_bytes: room, max_entries: 64_000_000, max_file: 1 << 60 }
    }
}

impl Default for Limits {
    /// Far above any system image, far below what fills a server.
    fn default() -> Limits {
        Limits { max_bytes: 128 << 30, max_entries: 4_000_000, max_file: 128 << 30 }
    }
}
