//! Files that the disk no longer gives back.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use exec::{Control, Progress};
use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;

use crate::{Access, Attached, Result, View};

/// A file, beneath the root of its volume.
#[derive(Debug)]
pub struct Unreadable {
    /// Where it is.
    pub path: PathBuf,
    /// What the kernel says.
    pub why: io::Error,
}

/// Reads every file of a volume, or a snapshot, from the disk and names those that cannot be read.
pub fn unreadable(attached: &Attached, control: &Control) -> Result<Vec<Unreadable>> {
    let mut found = Vec::new();
    if let Attached::Block(disk) = attached {
        found.extend(read(disk).err().map(|why| Unreadable { path: PathBuf::new(), why }));
        return Ok(found);
    }
    let view = View::open(attached, Access::Read)?;
    let root = view.path();
    // A link itself; what is in it is meant.
    let mut folders = vec![root.join(".")];
    while let Some(folder) = folders.pop() {
        control.check()?;
        for (path, result) in look(&folder, &mut folders) {
            let Err(why) = result else { continue };
            if is_damage(&why) {
                let path = path.strip_prefix(root.join(".")).unwrap_or(&path).to_owned();
                found.push(Unreadable { path, why });
            }
        }
        control.report(Progress { stage: "look for damaged files".into(), ..Progress::default() });
    }
    Ok(found)
}

/// Reads the files of a folder, and notes the folders in it.
fn look(folder: &Path, folders: &mut Vec<PathBuf>) -> Vec<(PathBuf, io::Result<()>)> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![(folder.to_owned(), Err(error))],
    };
    let mut done = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                done.push((folder.to_owned(), Err(error)));
                break;
            }
        };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            Ok(kind) if kind.is_file() => done.push((entry.path(), read(&entry.path()))),
            Ok(_) => {}
            Err(error) => done.push((entry.path(), Err(error))),
        }
    }
    done
}

/// Reads a file from the disk, not from memory.
fn read(path: &Path) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    // Advice: where it is not taken, what is in memory counts as good.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Whether it is the disk: a file that has gone meanwhile is none.
fn is_damage(error: &io::Error) -> bool {
    let kinds = [Errno::IO, Errno::UCLEAN, Errno::BADMSG, Errno::REMOTEIO];
    kinds.iter().any(|kind| error.raw_os_error() == Some(kind.raw_os_error()))
}
