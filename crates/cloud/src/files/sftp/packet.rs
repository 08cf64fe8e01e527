//! The words of SFTP, version 3 (draft-ietf-secsh-filexfer-02, as OpenSSH speaks it), to and from bytes.

use runtime::files::{Change, FileKind, Owner, Seen};

/// Bytes of a packet at most, as OpenSSH has it.
pub(super) const LONGEST: usize = 256 << 10;
/// Bytes of a file in one answer at most: the packet has a head, too.
pub(super) const BLOCK: u32 = (LONGEST - 1024) as u32;

/// Kinds of packets.
pub(super) mod kind {
    pub(in super::super) const INIT: u8 = 1;
    pub(in super::super) const VERSION: u8 = 2;
    pub(in super::super) const OPEN: u8 = 3;
    pub(in super::super) const CLOSE: u8 = 4;
    pub(in super::super) const READ: u8 = 5;
    pub(in super::super) const WRITE: u8 = 6;
    pub(in super::super) const LSTAT: u8 = 7;
    pub(in super::super) const FSTAT: u8 = 8;
    pub(in super::super) const SETSTAT: u8 = 9;
    pub(in super::super) const FSETSTAT: u8 = 10;
    pub(in super::super) const OPENDIR: u8 = 11;
    pub(in super::super) const READDIR: u8 = 12;
    pub(in super::super) const REMOVE: u8 = 13;
    pub(in super::super) const MKDIR: u8 = 14;
    pub(in super::super) const RMDIR: u8 = 15;
    pub(in super::super) const REALPATH: u8 = 16;
    pub(in super::super) const STAT: u8 = 17;
    pub(in super::super) const RENAME: u8 = 18;
    pub(in super::super) const READLINK: u8 = 19;
    pub(in super::super) const SYMLINK: u8 = 20;
    pub(in super::super) const STATUS: u8 = 101;
    pub(in super::super) const HANDLE: u8 = 102;
    pub(in super::super) const DATA: u8 = 103;
    pub(in super::super) const NAME: u8 = 104;
    pub(in super::super) const ATTRS: u8 = 105;
    pub(in super::super) const EXTENDED: u8 = 200;
}

/// How a file is opened.
pub(super) mod open {
    pub(in super::super) const READ: u32 = 1;
    pub(in super::super) const WRITE: u32 = 2;
    pub(in super::super) const APPEND: u32 = 4;
    pub(in super::super) const CREATE: u32 = 8;
    pub(in super::super) const TRUNCATE: u32 = 16;
    pub(in super::super) const NEW: u32 = 32;
}

/// What attributes there are.
const SIZE: u32 = 1;
const OWNER: u32 = 2;
const MODE: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 1 << 31;

/// How something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok = 0,
    End = 1,
    NotThere = 2,
    Denied = 3,
    Failed = 4,
    Nonsense = 5,
    Unsupported = 8,
}

/// A request that ends before it should, or is too long.
#[derive(Debug)]
pub(super) struct Garbled;

/// A request that is being read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Garbled> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Garbled)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Garbled> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn number(&mut self) -> Result<u32, Garbled> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().map_err(|_| Garbled)?))
    }

    pub(super) fn long(&mut self) -> Result<u64, Garbled> {
        Ok(u64::from_be_bytes(self.take(8)?.try_into().map_err(|_| Garbled)?))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Garbled> {
        let count = self.number()? as usize;
        self.take(count)
    }

    /// A text without a zero byte: no path has one.
    pub(super) fn text(&mut self) -> Result<String, Garbled> {
        let text = String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Garbled)?;
        if text.contains('\0') { Err(Garbled) } else { Ok(text) }
    }

    pub(super) fn change(&mut self) -> Result<Change, Garbled> {
        let flags = self.number()?;
        let mut change = Change::default();
        if flags & SIZE != 0 {
            change.size = Some(self.long()?);
        }
        if flags & OWNER != 0 {
            let (uid, gid) = (self.number()?, self.number()?);
            change.owner = Owner { uid: Some(uid), gid: Some(gid), mode: None };
        }
        if flags & MODE != 0 {
            change.owner.mode = Some(self.number()? & 0o7777);
        }
        if flags & TIMES != 0 {
            change.times = Some((self.number()?.into(), self.number()?.into()));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..self.number()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Ok(change)
    }
}

/// Bytes before what an answer holds: its length, its kind, its request.
const HEAD: usize = 9;

/// An answer that is being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// The answer to the request of that number.
    pub(super) fn new(kind: u8, request: u32) -> Writer {
        let mut bytes = vec![0, 0, 0, 0, kind];
        bytes.extend(request.to_be_bytes());
        Writer(bytes)
    }

    pub(super) fn status(request: u32, status: Status, words: &str) -> Writer {
        let mut writer = Writer::new(kind::STATUS, request);
        writer.number(status as u32).bytes(words.as_bytes()).bytes(b"en");
        writer
    }

    pub(super) fn number(&mut self, number: u32) -> &mut Writer {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        // No text here is that long.
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend(bytes);
        self
    }

    /// What is seen of a file; its owner where that is known.
    pub(super) fn seen(&mut self, seen: &Seen, owned: bool) -> &mut Writer {
        let owner = if owned { OWNER } else { 0 };
        self.number(SIZE | owner | MODE | TIMES);
        self.0.extend(seen.size.to_be_bytes());
        if owned {
            self.number(seen.uid).number(seen.gid);
        }
        let seconds = |at: i64| u32::try_from(at.max(0)).unwrap_or(u32::MAX);
        self.number(seen.mode).number(seconds(seen.accessed)).number(seconds(seen.modified))
    }

    pub(super) fn name(&mut self, name: &str, seen: &Seen) -> &mut Writer {
        self.bytes(name.as_bytes()).bytes(line(name, seen).as_bytes()).seen(seen, true)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The same with how many names they are before them.
    pub(super) fn counted(mut self, count: u32) -> Writer {
        self.0.splice(HEAD..HEAD, count.to_be_bytes());
        self
    }

    /// The whole packet.
    pub(super) fn end(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// What this server is, in answer to a client's first words.
pub(super) fn version() -> Vec<u8> {
    let mut writer = Writer(vec![0, 0, 0, 0, kind::VERSION]);
    writer.number(3);
    for extension in ["posix-rename@openssh.com", "fsync@openssh.com"] {
        writer.bytes(extension.as_bytes()).bytes(b"1");
    }
    writer.end()
}

/// A file as `ls -l` shows it, for people.
fn line(name: &str, seen: &Seen) -> String {
    let kind = match seen.kind {
        FileKind::File => '-',
        FileKind::Folder => 'd',
        FileKind::Link => 'l',
        FileKind::Other => '?',
    };
    let letters = "rwxrwxrwx".chars().enumerate();
    let rights: String = letters
        .map(|(at, letter)| if seen.mode & (0o400 >> at) == 0 { '-' } else { letter })
        .collect();
    let at = chrono::DateTime::from_timestamp(seen.modified, 0).unwrap_or_default();
    let at = at.format("%b %e %Y");
    format!("{kind}{rights}    1 {:<8} {:<8} {:>8} {at} {name}", seen.uid, seen.gid, seen.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen {
        kind: FileKind::Folder,
        uid: 1,
        gid: 2,
        mode: 0o40_750,
        size: 4096,
        modified: 86_400,
        accessed: -1,
    };

    #[test]
    fn what_is_written_is_read_again() {
        let mut writer = Writer::new(kind::ATTRS, 7);
        writer.seen(&SEEN, true);
        let packet = writer.end();
        assert_eq!(packet[..9], [0, 0, 0, packet.len() as u8 - 4, kind::ATTRS, 0, 0, 0, 7]);
        let change = Reader(&packet[9..]).change().unwrap();
        assert_eq!(change.owner, Owner { uid: Some(1), gid: Some(2), mode: Some(0o750) });
        assert_eq!((change.size, change.times), (Some(4096), Some((0, 86_400))));
        assert_eq!(line("a", &SEEN), "drwxr-x---    1 1        2            4096 Jan  2 1970 a");
    }

    #[test]
    fn nonsense_is_refused() {
        for bytes in [&[][..], &[0, 0, 0, 9, 1], &[0xff; 12], &[0, 0, 0, 1, 0], &[0, 0, 0, 1, 0xff]]
        {
            assert!(Reader(bytes).text().is_err(), "{bytes:?}");
        }
        assert!(Reader(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).change().is_err());
    }
}
