//! An image's files on disk: `metadata.yaml`, `templates/`, and `rootfs/` or `disk.qcow2`; and `boot/`, the
//! kernel of a virtual machine that has no firmware.
//!
//! The archive is not trusted. Every entry is put in place from an open folder that was reached
//! inside the tree it belongs to, so neither `..` nor a link leads out. Owners, modes, times, setuid
//! bits, file capabilities, hard links and holes are kept. Device nodes of images are left out: an
//! instance gets its own /dev, and a node that an image brings could be the host's disk. Those of
//! backups are made: they were in the instance, whose root is mounted so that they do nothing unless
//! it is privileged.
//! Nothing is synced here; who keeps the folder syncs it once.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use exec::{Control, Progress};

use crate::archive::{self, Item, Next};
use crate::decode::{Count, Counting, Source, decoder};
use crate::error::At;
use crate::{Error, Files, Format, Limits, Metadata, Result};

mod entry;
mod name;
mod sparse;
mod squashfs;
mod tree;
mod xattrs;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use entry::{Nodes, Writer};
use tree::Tree;

pub(crate) use xattrs::allowed as attribute_allowed;

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files, folders and links.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Device nodes that were left out.
    pub devices: u64,
}

/// Unpacks an image into an existing empty folder. What is there after an error is the caller's to
/// remove.
pub fn unpack(files: &Files, into: &Path, limits: &Limits, control: &Control) -> Result<Unpacked> {
    let mut work = Work::new(limits, Nodes::LeftOut, control);
    match &files.rootfs {
        None if Format::of(&files.main)? == Format::Squashfs => work.squashfs(&files.main, into)?,
        None => work.unified(&files.main, Path::new(""), into)?,
        Some(rootfs) => {
            work.unified(&files.main, Path::new(""), into)?;
            work.rootfs(rootfs, into)?;
        }
    }
    if !into.join("metadata.yaml").exists() {
        return Err(Error::NoMetadata { file: files.main.clone() });
    }
    if !into.join("rootfs").exists() && !into.join("disk.qcow2").exists() {
        return Err(Error::NoRoot { file: files.main.clone() });
    }
    Ok(work.done)
}

/// Unpacks an instance that lies beneath `part` of an archive into an existing empty folder: its
/// `rootfs/`, and `metadata.yaml` and `templates/` where it has them. Device nodes are made.
pub fn unpack_instance(
    file: &Path,
    part: &Path,
    into: &Path,
    limits: &Limits,
    control: &Control,
) -> Result<Unpacked> {
    let mut work = Work::new(limits, Nodes::Made, control);
    work.unified(file, part, into)?;
    match into.join("rootfs").exists() {
        true => Ok(work.done),
        false => Err(Error::NoPart { file: file.to_owned(), part: part.join("rootfs") }),
    }
}

/// Unpacks a virtual machine that lies beneath `part` of an archive into an existing empty folder: `root.img` of
/// `<part>.img`, and what lies beside it.
pub fn unpack_machine(
    file: &Path,
    part: &Path,
    into: &Path,
    limits: &Limits,
    control: &Control,
) -> Result<Unpacked> {
    let mut work = Work::new(limits, Nodes::LeftOut, control);
    let mut disk = part.as_os_str().to_owned();
    disk.push(".img");
    let disk = PathBuf::from(disk);
    let (mut tree, mut beside, mut found) = (Tree::create(into)?, Beside::new(into, part), false);
    work.each(file, &mut |writer, item| match entry::called(item)? == disk {
        true => {
            found = true;
            writer.put_file(item, &mut tree, Path::new("root.img"))
        }
        false => beside.put(writer, item),
    })?;
    beside.finish()?;
    match found {
        true => Ok(work.done),
        false => Err(Error::NoPart { file: file.to_owned(), part: disk }),
    }
}

/// Unpacks what lies beside an instance's root beneath `part` of an archive: `metadata.yaml` and `templates/`.
pub fn unpack_beside(
    file: &Path,
    part: &Path,
    into: &Path,
    limits: &Limits,
    control: &Control,
) -> Result<Unpacked> {
    let mut work = Work::new(limits, Nodes::LeftOut, control);
    work.unified(file, part, into)?;
    Ok(work.done)
}

/// Unpacks all that lies beneath `part` of an archive into an existing empty folder. Device nodes
/// are made.
pub fn unpack_tree(
    file: &Path,
    part: &Path,
    into: &Path,
    limits: &Limits,
    control: &Control,
) -> Result<Unpacked> {
    let mut work = Work::new(limits, Nodes::Made, control);
    let mut tree = Lazy::new(into.to_owned());
    work.each(file, &mut |writer, item| {
        let path = name::relative(&item.path).map_err(|why| item.hostile(why))?;
        match path.strip_prefix(part) {
            Ok(path) => writer.put(item, tree.tree()?, path, part),
            Err(_) => Ok(()),
        }
    })?;
    if tree.tree.is_none() {
        return Err(Error::NoPart { file: file.to_owned(), part: part.to_owned() });
    }
    tree.finish()?;
    Ok(work.done)
}

/// Unpacks the one file that is called `part` in an archive to the new file `to`: a disk, whose holes are
/// kept.
pub fn unpack_disk(
    file: &Path,
    part: &Path,
    to: &Path,
    limits: &Limits,
    control: &Control,
) -> Result<Unpacked> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    let name = to.file_name().map(Path::new).unwrap_or(Path::new("disk"));
    let mut work = Work::new(limits, Nodes::LeftOut, control);
    let (mut tree, mut found) = (Tree::create(folder)?, false);
    work.each(file, &mut |writer, item| {
        let is_it = entry::called(item)? == part;
        found |= is_it;
        if is_it { writer.put_file(item, &mut tree, name) } else { Ok(()) }
    })?;
    match found {
        true => Ok(work.done),
        false => Err(Error::NoPart { file: file.to_owned(), part: part.to_owned() }),
    }
}

/// Unpacks files that lie beneath `part` of an archive into an existing folder: `place` gets the path
/// of each beneath `part`, and says what it is called there; None refuses it. Anything else but folders,
/// which are left out, is refused.
pub fn unpack_files(
    file: &Path,
    part: &Path,
    into: &Path,
    limits: &Limits,
    control: &Control,
    place: &dyn Fn(&Path) -> Option<PathBuf>,
) -> Result<Unpacked> {
    let mut work = Work::new(limits, Nodes::LeftOut, control);
    let mut tree = Tree::create(into)?;
    work.each(file, &mut |writer, item| {
        let path = entry::called(item)?;
        let Ok(path) = path.strip_prefix(part) else { return Ok(()) };
        if item.header().entry_type().is_dir() {
            return Ok(());
        }
        match place(path) {
            Some(path) => writer.put_file(item, &mut tree, &path),
            None => Err(item.hostile("is none of the files that belong here")),
        }
    })?;
    tree.finish()?;
    Ok(work.done)
}

struct Work<'a> {
    limits: &'a Limits,
    nodes: Nodes,
    control: &'a Control,
    done: Unpacked,
}

impl<'a> Work<'a> {
    fn new(limits: &'a Limits, nodes: Nodes, control: &'a Control) -> Work<'a> {
        Work { limits, nodes, control, done: Unpacked::default() }
    }

    /// One file with everything beneath `part`, or the metadata alone.
    fn unified(&mut self, file: &Path, part: &Path, into: &Path) -> Result<()> {
        let (mut rootfs, mut beside) = (Lazy::new(into.join("rootfs")), Beside::new(into, part));
        self.each(file, &mut |writer, item| {
            let path = name::relative(&item.path).map_err(|why| item.hostile(why))?;
            let Ok(path) = path.strip_prefix(part) else { return Ok(()) };
            let mut parts = path.components();
            let first = parts.next().map(|part| part.as_os_str().as_encoded_bytes().to_owned());
            match first.as_deref() {
                Some(b"rootfs") => {
                    writer.put(item, rootfs.tree()?, parts.as_path(), &part.join("rootfs"))
                }
                Some(b"rootfs.img") => writer.disk(item, &into.join("disk.qcow2")),
                _ => beside.put(writer, item),
            }
        })?;
        beside.finish()?;
        rootfs.finish()
    }

    /// The root of an image in two files.
    fn rootfs(&mut self, file: &Path, into: &Path) -> Result<()> {
        match Format::of(file)? {
            Format::Squashfs => return self.squashfs(file, &into.join("rootfs")),
            Format::Qcow2 => {
                return fs::copy(file, into.join("disk.qcow2")).at("copy", file).map(drop);
            }
            _ => {}
        }
        let mut rootfs = Lazy::new(into.join("rootfs"));
        self.each(file, &mut |writer, item| {
            let path = name::relative(&item.path).map_err(|why| item.hostile(why))?;
            writer.put(item, rootfs.tree()?, &path, Path::new(""))
        })?;
        rootfs.finish()
    }

    fn each(
        &mut self,
        file: &Path,
        put: &mut dyn FnMut(&mut Writer, &mut Item) -> Result<()>,
    ) -> Result<()> {
        let source = Source::open(file)?;
        source.must_be_tar(file, "an image's files")?;
        let counting = Counting::new(source.file);
        let (done, last) = (counting.count(), Cell::new(0));
        let report = Report { done, last, total: source.size, control: self.control };
        let unpacked = decoder(source.format, counting).at("read", file)?;
        let mut writer = Writer::new(file, self.limits, self.control, self.nodes, &mut self.done);
        archive::walk(file, unpacked, &mut |item| {
            report.tick();
            writer.count(item)?;
            put(&mut writer, item)?;
            Ok(Next::Go)
        })
    }
}

/// What lies beside a root.
struct Beside<'a> {
    into: &'a Path,
    part: &'a Path,
    folders: [(&'static str, Lazy); 3],
}

impl<'a> Beside<'a> {
    fn new(into: &'a Path, part: &'a Path) -> Beside<'a> {
        let folders = ["templates", "boot", "nvram"].map(|name| (name, Lazy::new(into.join(name))));
        Beside { into, part, folders }
    }

    /// Puts an entry in place, if it is one of these.
    fn put(&mut self, writer: &mut Writer, item: &mut Item) -> Result<()> {
        let path = name::relative(&item.path).map_err(|why| item.hostile(why))?;
        let Ok(path) = path.strip_prefix(self.part) else { return Ok(()) };
        let mut parts = path.components();
        let first = parts.next().map(|part| part.as_os_str().to_owned()).unwrap_or_default();
        if first == "metadata.yaml" {
            return small_file(item, &self.into.join("metadata.yaml"));
        }
        let [.., (_, nvram)] = &mut self.folders;
        if first == OF_LXD {
            return match item.header().entry_type().is_file() {
                true => writer.put_file(item, nvram.tree()?, Path::new(OF_LXD)),
                // Later ones have a link to a file of another name.
                false => Ok(()),
            };
        }
        match self.folders.iter_mut().find(|(name, _)| first == *name) {
            Some((name, tree)) => {
                writer.put(item, tree.tree()?, parts.as_path(), &self.part.join(name))
            }
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<()> {
        self.folders.into_iter().try_for_each(|(_, tree)| tree.finish())
    }
}

/// What LXD calls the variables of a virtual machine's firmware, beside its disk.
const OF_LXD: &str = "qemu.nvram";

/// A tree that is made when its first entry comes.
struct Lazy {
    path: PathBuf,
    tree: Option<Tree>,
}

impl Lazy {
    fn new(path: PathBuf) -> Lazy {
        Lazy { path, tree: None }
    }

    fn tree(&mut self) -> Result<&mut Tree> {
        match &mut self.tree {
            Some(tree) => Ok(tree),
            none => Ok(none.insert(Tree::create(&self.path)?)),
        }
    }

    fn finish(self) -> Result<()> {
        self.tree.map_or(Ok(()), Tree::finish)
    }
}

fn small_file(item: &mut Item, path: &Path) -> Result<()> {
    fs::write(path, item.read_all(Metadata::MAX_BYTES)?).at("write", path)
}

/// Compressed bytes between two reports.
const STEP: u64 = 256 << 10;

struct Report<'a> {
    done: Count,
    last: Cell<u64>,
    total: u64,
    control: &'a Control,
}

impl Report<'_> {
    fn tick(&self) {
        let done = self.done.get();
        if done >= self.last.get() + STEP || done == self.total {
            self.last.set(done);
            self.control.report(Progress::bytes("unpack image", done, Some(self.total)));
        }
    }
}
