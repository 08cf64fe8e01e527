//! Tar archives made by hand, so that they may say what no tool would write.

use tar::{EntryType, Header};

pub(super) const METADATA: &[u8] = b"architecture: x86_64\ncreation_date: 1\n";

pub(super) fn not_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIP: needs root");
    }
    !root
}

/// An archive in the making.
pub(super) struct Tar {
    data: Vec<u8>,
}

impl Tar {
    pub(super) fn new() -> Tar {
        Tar { data: Vec::new() }
    }

    /// Starts with what every image needs.
    pub(super) fn image() -> Tar {
        Tar::new().file("metadata.yaml", METADATA).folder("rootfs/")
    }

    pub(super) fn file(self, name: &str, data: &[u8]) -> Tar {
        self.entry(EntryType::Regular, name, "", data)
    }

    pub(super) fn folder(self, name: &str) -> Tar {
        self.entry(EntryType::Directory, name, "", b"")
    }

    pub(super) fn symlink(self, name: &str, to: &str) -> Tar {
        self.entry(EntryType::Symlink, name, to, b"")
    }

    pub(super) fn hard_link(self, name: &str, to: &str) -> Tar {
        self.entry(EntryType::Link, name, to, b"")
    }

    pub(super) fn entry(self, kind: EntryType, name: &str, to: &str, data: &[u8]) -> Tar {
        self.header(data, |header| {
            header.set_entry_type(kind);
            let bytes = header.as_mut_bytes();
            bytes[..name.len()].copy_from_slice(name.as_bytes());
            bytes[157..157 + to.len()].copy_from_slice(to.as_bytes());
        })
    }

    /// An entry whose header is changed at will.
    pub(super) fn header(mut self, data: &[u8], change: impl Fn(&mut Header)) -> Tar {
        let mut header = Header::new_ustar();
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(data.len() as u64);
        change(&mut header);
        header.set_cksum();
        self.data.extend_from_slice(header.as_bytes());
        self.data.extend_from_slice(data);
        self.data.resize(self.data.len().next_multiple_of(512), 0);
        self
    }

    /// Extended headers for the entry that follows.
    pub(super) fn extended(self, pairs: &[(&str, &[u8])]) -> Tar {
        let mut data = Vec::new();
        for (key, value) in pairs {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            data.extend_from_slice(format!("{length} {key}=").as_bytes());
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.entry(EntryType::XHeader, "x", "", &data)
    }

    /// The archive without its end.
    pub(super) fn cut(self) -> Vec<u8> {
        self.data
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.data.resize(self.data.len() + 1024, 0);
        self.data
    }
}
