//! Puts one entry into a tree.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use exec::Control;
use rustix::fs::{FileType, Gid, Mode, Timespec, Timestamps, Uid};
use tar::EntryType;

use super::tree::{Owner, Tree};
use super::{Unpacked, name, sparse, xattrs};
use crate::archive::Item;
use crate::error::At;
use crate::{Error, Limits, Result};

const BUFFER: usize = 128 << 10;
/// Zeros of this length become holes.
const HOLE: usize = 4096;

/// What becomes of device nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nodes {
    LeftOut,
    Made,
}

/// Writes entries and counts them.
pub(super) struct Writer<'a> {
    nodes: Nodes,
    file: &'a Path,
    limits: &'a Limits,
    control: &'a Control,
    done: &'a mut Unpacked,
    buffer: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        file: &'a Path,
        limits: &'a Limits,
        control: &'a Control,
        nodes: Nodes,
        done: &'a mut Unpacked,
    ) -> Writer<'a> {
        Writer { nodes, file, limits, control, done, buffer: vec![0; BUFFER] }
    }

    /// Counts an entry before it is read.
    pub(super) fn count(&mut self, item: &Item) -> Result<()> {
        self.control.check()?;
        self.done.entries += 1;
        if self.done.entries > self.limits.max_entries {
            return Err(self.too_large(self.limits.max_entries, "entries"));
        }
        // Refused here rather than after a disk full of it.
        match self.done.bytes.saturating_add(item.size()) > self.limits.max_bytes {
            true => Err(self.too_large(self.limits.max_bytes, "bytes")),
            false => Ok(()),
        }
    }

    fn too_large(&self, limit: u64, what: &'static str) -> Error {
        Error::TooLarge { file: self.file.to_owned(), limit, what }
    }

    /// Puts an entry at `path` of `tree`. `prefix` is what stands before paths of this tree in the
    /// archive, and so in the targets of hard links.
    pub(super) fn put(
        &mut self,
        item: &mut Item,
        tree: &mut Tree,
        path: &Path,
        prefix: &Path,
    ) -> Result<()> {
        let extensions = item.extensions()?;
        if let Some(map) = sparse::Header::find(&extensions).map_err(|why| item.hostile(why))? {
            let path = name::relative(&map.name).map_err(|why| item.hostile(why))?;
            let path = path
                .strip_prefix(prefix)
                .map_err(|_| item.hostile("changes its folder"))?
                .to_owned();
            return self.sparse(item, tree, &path, &map, &extensions);
        }
        let shown = Path::new("/").join(path);
        match item.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let file = tree.file(path).at("create", &shown)?;
                self.data(item, &file, &shown)?;
                finish_file(item, &file, &extensions, &shown)
            }
            EntryType::Directory => folder(item, tree, path, &extensions),
            EntryType::Symlink => {
                let to = link_target(item)?;
                let times = times(item, &extensions);
                tree.symlink(path, &to, owner(item)?, &times).at("make link", &shown)
            }
            EntryType::Link => {
                let to = name::relative(&link_target(item)?).map_err(|why| item.hostile(why))?;
                let to =
                    to.strip_prefix(prefix).map_err(|_| item.hostile("links out of its tree"))?;
                tree.hard_link(path, to).map_err(|e| item.damaged(e))
            }
            EntryType::Fifo => {
                tree.node(path, FileType::Fifo, 0, owner(item)?).at("make pipe", &shown)
            }
            kind @ (EntryType::Char | EntryType::Block) => {
                self.done.devices += 1;
                match self.nodes {
                    Nodes::LeftOut => Ok(()),
                    Nodes::Made => device(item, kind, tree, path).at("make device", &shown),
                }
            }
            _ => Ok(()), // labels, dumps of folders: nothing a root needs
        }
    }

    /// Puts an entry, which must be a plain file or one with holes, at `path` of `tree`, whatever it is
    /// called in the archive.
    pub(super) fn put_file(&mut self, item: &mut Item, tree: &mut Tree, path: &Path) -> Result<()> {
        let extensions = item.extensions()?;
        if let Some(map) = sparse::Header::find(&extensions).map_err(|why| item.hostile(why))? {
            return self.sparse(item, tree, path, &map, &extensions);
        }
        match item.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {}
            _ => return Err(item.hostile("is no file")),
        }
        let shown = Path::new("/").join(path);
        let file = tree.file(path).at("create", &shown)?;
        self.data(item, &file, &shown)
    }

    /// Writes an entry's data to a file outside of the trees.
    pub(super) fn disk(&mut self, item: &mut Item, path: &Path) -> Result<()> {
        let file = File::create_new(path).at("create", path)?;
        self.data(item, &file, path)
    }

    fn data(&mut self, item: &mut Item, file: &File, shown: &Path) -> Result<()> {
        let mut at = 0;
        let mut hole = false;
        loop {
            let read = item.read(&mut self.buffer)?;
            if read == 0 {
                break;
            }
            self.grow(read)?;
            hole = read >= HOLE && self.buffer[..read].iter().all(|byte| *byte == 0);
            if !hole {
                file.write_all_at(&self.buffer[..read], at).at("write", shown)?;
            }
            at += read as u64;
        }
        if hole { file.set_len(at).at("resize", shown) } else { Ok(()) }
    }

    fn grow(&mut self, bytes: usize) -> Result<()> {
        self.control.check()?;
        self.done.bytes += bytes as u64;
        match self.done.bytes > self.limits.max_bytes {
            true => Err(self.too_large(self.limits.max_bytes, "bytes")),
            false => Ok(()),
        }
    }

    /// A file with holes as GNU tar writes it beside extended attributes.
    fn sparse(
        &mut self,
        item: &mut Item,
        tree: &mut Tree,
        path: &Path,
        header: &sparse::Header,
        extensions: &[(String, Vec<u8>)],
    ) -> Result<()> {
        if header.size > self.limits.max_file {
            return Err(self.too_large(self.limits.max_file, "bytes"));
        }
        let shown = Path::new("/").join(path);
        let file = tree.file(path).at("create", &shown)?;
        file.set_len(header.size).at("resize", &shown)?;
        for (start, mut left) in sparse::map(item, header.size)? {
            let mut at = start;
            while left > 0 {
                let want = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let read = item.read(&mut self.buffer[..want])?;
                if read == 0 {
                    return Err(item.hostile("has less data than its map says"));
                }
                self.grow(read)?;
                file.write_all_at(&self.buffer[..read], at).at("write", &shown)?;
                at += read as u64;
                left -= read as u64;
            }
        }
        finish_file(item, &file, extensions, &shown)
    }
}

/// What an entry is called; one with holes is so in its extended headers alone.
pub(super) fn called(item: &mut Item) -> Result<PathBuf> {
    let extensions = item.extensions()?;
    let map = sparse::Header::find(&extensions).map_err(|why| item.hostile(why))?;
    let path = map.map_or_else(|| item.path.clone(), |map| map.name);
    name::relative(&path).map_err(|why| item.hostile(why))
}

fn device(item: &Item, kind: EntryType, tree: &mut Tree, path: &Path) -> std::io::Result<()> {
    let number =
        |number: std::io::Result<Option<u32>>| Ok::<_, std::io::Error>(number?.unwrap_or(0));
    let header = item.header();
    let (major, minor) = (number(header.device_major())?, number(header.device_minor())?);
    let kind = match kind {
        EntryType::Block => FileType::BlockDevice,
        _ => FileType::CharacterDevice,
    };
    let owner = owner(item).map_err(std::io::Error::other)?;
    tree.node(path, kind, rustix::fs::makedev(major, minor), owner)
}

fn folder(
    item: &Item,
    tree: &mut Tree,
    path: &Path,
    extensions: &[(String, Vec<u8>)],
) -> Result<()> {
    let shown = Path::new("/").join(path);
    let folder = tree.folder(path).at("make folder", &shown)?;
    set_owner(&folder, owner(item)?).at("set owner and mode of", &shown)?;
    xattrs::set(&folder, extensions).at("set attributes of", &shown)?;
    tree.remember_times(path, times(item, extensions));
    Ok(())
}

/// Owner first: changing it clears setuid bits and capabilities.
fn finish_file(
    item: &Item,
    file: &File,
    extensions: &[(String, Vec<u8>)],
    shown: &Path,
) -> Result<()> {
    set_owner(file, owner(item)?).at("set owner and mode of", shown)?;
    xattrs::set(file, extensions).at("set attributes of", shown)?;
    rustix::fs::futimens(file, &times(item, extensions)).at("set times of", shown)
}

fn set_owner(file: impl AsFd, owner: Owner) -> rustix::io::Result<()> {
    rustix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))?;
    rustix::fs::fchmod(&file, owner.mode)
}

fn owner(item: &Item) -> Result<Owner> {
    let id = |id: std::io::Result<u64>| -> Result<u32> {
        let id = id.map_err(|e| item.damaged(e))?;
        match u32::try_from(id) {
            Ok(id) if id != u32::MAX => Ok(id),
            _ => Err(item.hostile("has an owner that cannot be")),
        }
    };
    let mode = item.header().mode().map_err(|e| item.damaged(e))?;
    Ok(Owner {
        uid: Uid::from_raw(id(item.header().uid())?),
        gid: Gid::from_raw(id(item.header().gid())?),
        mode: Mode::from_raw_mode(mode & 0o7777),
    })
}

fn link_target(item: &Item) -> Result<PathBuf> {
    match item.link() {
        Some(to) if !to.as_os_str().is_empty() => Ok(to),
        _ => Err(item.hostile("is a link to nowhere")),
    }
}

/// When it was changed last; extended headers know parts of seconds.
fn times(item: &Item, extensions: &[(String, Vec<u8>)]) -> Timestamps {
    let exact = extensions.iter().rev().find(|(key, _)| key == "mtime");
    let exact = exact.and_then(|(_, value)| seconds(std::str::from_utf8(value).ok()?));
    let whole = || Timespec { tv_sec: item.header().mtime().unwrap_or(0) as i64, tv_nsec: 0 };
    let time = exact.unwrap_or_else(whole);
    Timestamps { last_access: time, last_modification: time }
}

fn seconds(text: &str) -> Option<Timespec> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nine: String = part.chars().chain("000000000".chars()).take(9).collect();
    Some(Timespec { tv_sec: whole.parse().ok()?, tv_nsec: nine.parse().ok()? })
}
