//! Writes the entries of a tarball: plain headers, with extended ones where those do not suffice.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use exec::Control;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::holes::{self, Data};
use super::inode;
use crate::Result;
use crate::error::At;
use crate::unpack::attribute_allowed;

/// What a plain header holds of a path.
const NAME: usize = 100;

pub(super) struct Packer<W: Write> {
    builder: Builder<W>,
    /// Files with several names, by the first that was written.
    links: HashMap<(u64, u64), PathBuf>,
    bytes: u64,
}

impl<W: Write> Packer<W> {
    pub(super) fn new(builder: Builder<W>) -> Packer<W> {
        Packer { builder, links: HashMap::new(), bytes: 0 }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn finish(self) -> Result<W> {
        self.builder.into_inner().at("write", "image")
    }

    /// Hard links never lead from one tree to another.
    pub(super) fn start_tree(&mut self) {
        self.links.clear();
    }

    pub(super) fn text(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(data.len() as u64);
        self.write(Path::new(name), header, Vec::new(), data)
    }

    pub(super) fn folder(&mut self, path: &Path, stat: &Stat, fd: impl AsFd) -> Result<()> {
        let extensions = xattrs(fd).at("read the attributes of", path)?;
        self.write(path, header(stat, EntryType::Directory), extensions, io::empty())
    }

    /// A folder that is nobody's.
    pub(super) fn plain_folder(&mut self, path: &Path) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o711);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        self.write(path, header, Vec::new(), io::empty())
    }

    /// Writes another name of a file that was written before; false when it is new.
    pub(super) fn hard_link(&mut self, path: &Path, stat: &Stat) -> Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let Some(first) = self.links.get(&inode(stat)).cloned() else {
            self.links.insert(inode(stat), path.to_owned());
            return Ok(false);
        };
        self.link(path, header(stat, EntryType::Link), first.as_os_str().as_bytes())?;
        Ok(true)
    }

    pub(super) fn symlink(&mut self, path: &Path, stat: &Stat, to: &[u8]) -> Result<()> {
        self.link(path, header(stat, EntryType::Symlink), to)
    }

    pub(super) fn node(&mut self, path: &Path, stat: &Stat, kind: FileType) -> Result<()> {
        let entry = match kind {
            FileType::CharacterDevice => EntryType::Char,
            FileType::BlockDevice => EntryType::Block,
            _ => EntryType::Fifo,
        };
        let mut header = header(stat, entry);
        header.set_device_major(rustix::fs::major(stat.st_rdev)).at("pack", path)?;
        header.set_device_minor(rustix::fs::minor(stat.st_rdev)).at("pack", path)?;
        self.write(path, header, Vec::new(), io::empty())
    }

    pub(super) fn file(
        &mut self,
        path: &Path,
        stat: &Stat,
        file: File,
        control: &Control,
    ) -> Result<()> {
        let mut extensions = xattrs(&file).at("read the attributes of", path)?;
        let Some(parts) = holes::find(&file, stat) else {
            return self.whole_file(path, stat, file, extensions, control);
        };
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        extensions.extend(sparse(path, size));
        let head = holes::map(&parts, size);
        let data: u64 = parts.iter().map(|(_, length)| length).sum();
        let mut header = header(stat, EntryType::Regular);
        header.set_size(head.len() as u64 + data);
        self.bytes += data;
        let data = Data::new(head, file, parts, control);
        let written = self.write(&stand_in(path), header, extensions, data);
        control.check()?;
        written
    }

    /// A file with its holes as zeros, for readers that know none.
    pub(super) fn whole_file(
        &mut self,
        path: &Path,
        stat: &Stat,
        file: File,
        extensions: Vec<(String, Vec<u8>)>,
        control: &Control,
    ) -> Result<()> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mut header = header(stat, EntryType::Regular);
        header.set_size(size);
        self.bytes += size;
        let data = Data::new(Vec::new(), file, vec![(0, size)], control);
        let written = self.write(path, header, extensions, data);
        control.check()?;
        written
    }

    fn link(&mut self, path: &Path, mut header: Header, to: &[u8]) -> Result<()> {
        let mut extensions = Vec::new();
        if to.len() > NAME || header.set_link_name_literal(to).is_err() {
            extensions.push(("linkpath".to_owned(), to.to_owned()));
        }
        self.write(path, header, extensions, io::empty())
    }

    fn write(
        &mut self,
        path: &Path,
        mut header: Header,
        mut extensions: Vec<(String, Vec<u8>)>,
        data: impl Read,
    ) -> Result<()> {
        let mut name = path.as_os_str().as_bytes().to_owned();
        if header.entry_type().is_dir() {
            name.push(b'/');
        }
        if name.len() > NAME {
            extensions.push(("path".to_owned(), name.clone()));
            name.truncate(NAME);
        }
        header.as_mut_bytes()[..name.len()].copy_from_slice(&name);
        header.set_cksum();
        if !extensions.is_empty() {
            let all = extensions.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
            self.builder.append_pax_extensions(all).at("write", path)?;
        }
        self.builder.append(&header, data).at("pack", path)
    }
}

fn header(stat: &Stat, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(u64::from(stat.st_uid));
    header.set_gid(u64::from(stat.st_gid));
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header
}

/// The extended headers of a file with holes.
fn sparse(path: &Path, size: u64) -> Vec<(String, Vec<u8>)> {
    let word = |key: &str, value: &[u8]| (format!("GNU.sparse.{key}"), value.to_vec());
    vec![
        word("major", b"1"),
        word("minor", b"0"),
        word("name", path.as_os_str().as_bytes()),
        word("realsize", size.to_string().as_bytes()),
    ]
}

/// What a file with holes is called for programs that do not know them.
fn stand_in(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("")).join("GNUSparseFile.0");
    folder.join(path.file_name().unwrap_or_default())
}

/// The attributes worth keeping, as extended headers.
fn xattrs(fd: impl AsFd) -> rustix::io::Result<Vec<(String, Vec<u8>)>> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let names = match grow(|buffer| rustix::fs::listxattr(&path, buffer)) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for name in names.split(|byte| *byte == 0) {
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| attribute_allowed(name))
        else {
            continue;
        };
        match grow(|buffer| rustix::fs::getxattr(&path, name, buffer)) {
            Ok(value) => found.push((format!("SCHILY.xattr.{name}"), value)),
            Err(Errno::NODATA) => {}
            Err(e) => return Err(e),
        }
    }
    found.sort();
    Ok(found)
}

/// Calls with larger buffers until one suffices.
fn grow(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 256];
    loop {
        match read(buffer.as_mut_slice()) {
            Ok(used) => {
                buffer.truncate(used);
                return Ok(buffer);
            }
            Err(Errno::RANGE) => buffer.resize(buffer.len() * 16, 0),
            Err(e) => return Err(e),
        }
    }
}
