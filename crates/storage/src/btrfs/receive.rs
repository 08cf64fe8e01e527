//! Makes a subvolume of a stream. Every name is looked up beneath the subvolume and no link is followed, so a
//! stream reaches nothing else, whoever wrote it.

use std::ffi::CString;
use std::fs::File;
use std::io::BufReader;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use exec::{Control, Progress};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
};

use super::stream::{Command, Field, Reader, Verb};
use super::subvolumes::{Subvolumes, snapshot};
use crate::dir::Trees;
use crate::error::At;
use crate::{Error, Result, fsio};

const BUFFER: usize = 1 << 20;
/// How often who waits is told, in commands.
const TURN: u64 = 1000;

/// Makes the subvolume `to`, of a copy of `base` where the stream starts from one.
pub(super) fn receive(
    base: Option<&Path>,
    to: &Path,
    from: OwnedFd,
    control: &Control,
) -> Result<()> {
    let mut reader = Reader::new(BufReader::with_capacity(BUFFER, File::from(from)))?;
    let first = reader.next()?;
    let base = match (first.verb, base) {
        (Verb::Subvolume, _) => {
            Subvolumes.make(to, 0o755, crate::dir::Wanted::default())?;
            None
        }
        (Verb::Snapshot, Some(base)) => {
            snapshot(base, to)?;
            Some(fsio::open_dir(base)?)
        }
        (Verb::Snapshot, None) => {
            return Err(Error::Stream { why: "it starts from a state that is not here" });
        }
        _ => return Err(Error::Stream { why: "it does not say of what it is" }),
    };
    let own = first.get(Field::Uuid)?.to_vec();
    let top = fsio::open_dir(to)?;
    let mut target = Target { top, base, own, open: None, written: 0 };
    let mut count = 0_u64;
    loop {
        let command = reader.next()?;
        if command.verb == Verb::End {
            return Ok(());
        }
        target.apply(&command)?;
        count += 1;
        if count.is_multiple_of(TURN) {
            control.check()?;
            control.report(Progress::bytes("receive", target.written, None));
        }
    }
}

/// What is written to.
struct Target {
    top: OwnedFd,
    base: Option<OwnedFd>,
    /// By what the stream calls the subvolume itself.
    own: Vec<u8>,
    /// The file that was written to last.
    open: Option<(Vec<u8>, File)>,
    written: u64,
}

/// An entry by its folder and its name in it.
struct Entry {
    folder: OwnedFd,
    name: CString,
}

impl Entry {
    /// A way for calls that take no folder; the name itself is not followed by those that do not.
    fn path(&self) -> PathBuf {
        let name = std::ffi::OsStr::from_bytes(self.name.to_bytes());
        Path::new("/proc/self/fd").join(self.folder.as_raw_fd().to_string()).join(name)
    }
}

fn open(top: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let inside = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat2(top, path, flags, Mode::empty(), inside).at("open", shown(path))
}

/// A regular file, which alone can be read and written without a surprise.
fn open_file(top: BorrowedFd, path: &[u8], flags: OFlags) -> Result<File> {
    let file = open(top, path, flags | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let stat = rustix::fs::fstat(&file).at("look at", shown(path))?;
    match FileType::from_raw_mode(stat.st_mode).is_file() {
        true => Ok(file.into()),
        false => Err(Error::Stream { why: "it writes into what is no file" }),
    }
}

fn shown(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}

impl Target {
    /// The entry of a path; the top folder is the entry `.` of itself.
    fn entry(&self, path: &[u8]) -> Result<Entry> {
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b"."[..], path),
        };
        let wrong = Error::Stream { why: "a name is none" };
        let name = match name {
            b"" if path.is_empty() => b".",
            b"" | b"." | b".." => return Err(wrong),
            name => name,
        };
        let folder = open(self.top.as_fd(), folder, OFlags::DIRECTORY | OFlags::PATH)?;
        Ok(Entry { folder, name: CString::new(name).map_err(|_| wrong)? })
    }

    fn apply(&mut self, command: &Command) -> Result<()> {
        let path = command.get(Field::Path)?;
        match command.verb {
            Verb::Write => return self.write(command, path),
            Verb::Clone => return self.clone_range(command, path),
            Verb::Rename | Verb::Unlink => self.open = None,
            _ => {}
        }
        let entry = self.entry(path)?;
        match command.verb {
            Verb::MakeFile
            | Verb::MakeFolder
            | Verb::MakeNode
            | Verb::MakePipe
            | Verb::MakeSocket
            | Verb::MakeLink => make(command, &entry),
            Verb::Rename => {
                let to = self.entry(command.get(Field::To)?)?;
                rustix::fs::renameat(&entry.folder, &*entry.name, &to.folder, &*to.name)
            }
            Verb::Link => {
                let from = self.entry(command.get(Field::Target)?)?;
                let (flags, to) = (AtFlags::empty(), &entry);
                rustix::fs::linkat(&from.folder, &*from.name, &to.folder, &*to.name, flags)
            }
            Verb::Unlink => rustix::fs::unlinkat(&entry.folder, &*entry.name, AtFlags::empty()),
            Verb::RemoveFolder => {
                rustix::fs::unlinkat(&entry.folder, &*entry.name, AtFlags::REMOVEDIR)
            }
            Verb::Truncate => {
                let size = command.number(Field::Size)?;
                return self.file(path)?.set_len(size).at("resize", shown(path));
            }
            _ => return set(command, &entry),
        }
        .at("receive", shown(path))
    }

    /// The file to write to, which is kept open for what follows.
    fn file(&mut self, path: &[u8]) -> Result<&File> {
        if self.open.as_ref().is_none_or(|(open, _)| open != path) {
            let file = open_file(self.top.as_fd(), path, OFlags::RDWR)?;
            self.open = Some((path.to_owned(), file));
        }
        let open = self.open.as_ref().map(|(_, file)| file);
        Ok(open.expect("it was opened a line before"))
    }

    fn write(&mut self, command: &Command, path: &[u8]) -> Result<()> {
        let (data, offset) = (command.get(Field::Data)?, command.number(Field::Offset)?);
        self.file(path)?.write_all_at(data, offset).at("write", shown(path))?;
        self.written += data.len() as u64;
        Ok(())
    }

    /// Blocks that are in a file already, of the subvolume itself or of its base.
    fn clone_range(&mut self, command: &Command, path: &[u8]) -> Result<()> {
        let top = match (&self.base, command.get(Field::CloneUuid)? == self.own) {
            (_, true) => self.top.as_fd(),
            (Some(base), false) => base.as_fd(),
            (None, false) => {
                return Err(Error::Stream { why: "it takes blocks of a state that is not here" });
            }
        };
        let from = open_file(top, command.get(Field::ClonePath)?, OFlags::RDONLY)?;
        let range = sys::BlockRange {
            from: command.number(Field::CloneOffset)?,
            length: command.number(Field::CloneLength)?,
            to: command.number(Field::Offset)?,
        };
        sys::share_blocks(from.as_fd(), self.file(path)?.as_fd(), range)
            .at("share blocks with", shown(path))
    }
}

fn make(command: &Command, entry: &Entry) -> rustix::io::Result<()> {
    let node = |kind, device| {
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(&entry.folder, &*entry.name, kind, mode, device)
    };
    let bad = |_| rustix::io::Errno::INVAL;
    match command.verb {
        Verb::MakeFile => node(FileType::RegularFile, 0),
        Verb::MakeFolder => rustix::fs::mkdirat(&entry.folder, &*entry.name, Mode::RWXU),
        Verb::MakePipe => node(FileType::Fifo, 0),
        Verb::MakeSocket => node(FileType::Socket, 0),
        Verb::MakeLink => {
            let target = command.get(Field::Target).map_err(bad)?;
            rustix::fs::symlinkat(target, &entry.folder, &*entry.name)
        }
        _ => {
            let mode = command.number(Field::Mode).map_err(bad)?;
            let kind = FileType::from_raw_mode(u32::try_from(mode).unwrap_or_default());
            match kind {
                FileType::CharacterDevice | FileType::BlockDevice => {
                    node(kind, command.number(Field::Device).map_err(bad)?)
                }
                _ => Err(rustix::io::Errno::INVAL),
            }
        }
    }
}

/// Sets what an entry has beside its contents.
fn set(command: &Command, entry: &Entry) -> Result<()> {
    let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let no_follow = AtFlags::SYMLINK_NOFOLLOW;
    let done = match command.verb {
        Verb::Owner => {
            let owner = Uid::from_raw(small(command.number(Field::User)?));
            let group = Gid::from_raw(small(command.number(Field::Group)?));
            let owner = (Some(owner), Some(group));
            rustix::fs::chownat(&entry.folder, &*entry.name, owner.0, owner.1, no_follow)
        }
        Verb::Mode => {
            let mode = Mode::from_raw_mode(small(command.number(Field::Mode)?) & 0o7777);
            // By a way that follows no link, as the call itself would.
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&entry.folder, &*entry.name, flags, Mode::empty()).and_then(|it| {
                match FileType::from_raw_mode(rustix::fs::fstat(&it)?.st_mode).is_symlink() {
                    true => Ok(()),
                    false => rustix::fs::chmod(
                        Path::new("/proc/self/fd").join(it.as_raw_fd().to_string()),
                        mode,
                    ),
                }
            })
        }
        Verb::Times => {
            let time = |(tv_sec, tv_nsec): (i64, i64)| Timespec { tv_sec, tv_nsec };
            let times = Timestamps {
                last_access: time(command.time(Field::Accessed)?),
                last_modification: time(command.time(Field::Modified)?),
            };
            rustix::fs::utimensat(&entry.folder, &*entry.name, &times, no_follow)
        }
        Verb::SetAttribute => {
            let name = command.get(Field::AttributeName)?;
            let value = command.get(Field::AttributeValue)?;
            rustix::fs::lsetxattr(entry.path(), name, value, XattrFlags::empty())
        }
        Verb::RemoveAttribute => {
            rustix::fs::lremovexattr(entry.path(), command.get(Field::AttributeName)?)
        }
        _ => return Err(Error::Stream { why: "a command is not where it may be" }),
    };
    done.at("receive", entry.path())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::stream::testing::{Made, stream};
    use super::*;
    use crate::testing::{Disk, not_root};

    fn at(path: &str) -> (Field, Vec<u8>) {
        (Field::Path, path.into())
    }

    fn received(commands: &[Made], to: &Path) -> Result<()> {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &stream(commands)).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        receive(None, to, file.into(), &Control::none())
    }

    #[test]
    fn a_stream_reaches_nothing_but_its_own_subvolume() {
        if not_root() {
            return;
        }
        let Some(disk) = Disk::new("btrfs", 256) else { return };
        let outside = disk.mounted.path.join("precious");
        std::fs::write(&outside, "precious").unwrap();
        std::fs::set_permissions(&outside, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        symlink(&outside, disk.mounted.path.join("way")).unwrap();
        let link =
            |name: &str, to: &str| (Verb::MakeLink, vec![at(name), (Field::Target, to.into())]);
        let write = |path: &str| {
            let (data, offset) = ((Field::Data, b"evil".to_vec()), (Field::Offset, vec![0; 8]));
            (Verb::Write, vec![at(path), data, offset])
        };
        let number = |field, value: u64| (field, value.to_le_bytes().to_vec());
        let whole = outside.to_string_lossy().into_owned();
        let bad = [
            vec![write("../precious")],
            vec![write(&whole)],
            vec![link("l", &whole), write("l")],
            vec![link("l", ".."), write("l/precious")],
            vec![link("l", ".."), (Verb::Unlink, vec![at("l/precious")])],
            vec![(Verb::Unlink, vec![at("../precious")])],
            vec![(Verb::Rename, vec![at("../precious"), (Field::To, b"mine".to_vec())])],
            vec![(Verb::Link, vec![at("mine"), (Field::Target, b"../precious".to_vec())])],
            vec![(Verb::Mode, vec![at("../precious"), number(Field::Mode, 0o777)])],
            vec![(Verb::Subvolume, vec![at("x")])],
            vec![(Verb::MakeFolder, vec![at(".")])],
            vec![(Verb::MakeFolder, vec![at("a/..")])],
            vec![(Verb::MakeFile, vec![])],
            vec![(Verb::MakePipe, vec![at("p")]), write("p")],
        ];
        for (n, commands) in bad.into_iter().enumerate() {
            let first = (Verb::Subvolume, vec![at("a"), (Field::Uuid, vec![1; 16])]);
            let all = [vec![first], commands, vec![(Verb::End, vec![])]].concat();
            let done = received(&all, &disk.mounted.path.join(format!("to-{n}")));
            assert!(done.is_err(), "{n}");
            assert_eq!(std::fs::read(&outside).unwrap(), b"precious", "{n}");
        }
        // A mode is not followed to where a link leads.
        let first = (Verb::Subvolume, vec![at("a"), (Field::Uuid, vec![1; 16])]);
        let mode = (Verb::Mode, vec![at("l"), number(Field::Mode, 0o777)]);
        let all = [first, link("l", &whole), mode, (Verb::End, vec![])];
        received(&all, &disk.mounted.path.join("mode")).unwrap();
        let stat = std::fs::metadata(&outside).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&stat) & 0o777, 0o600);
    }
}
