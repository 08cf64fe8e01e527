//! The files of a depot: copied to another place, and deleted. Both can be done again.

use std::{
    fs::{self, DirBuilder, File},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use exec::{Control, Progress};

use super::MARK;
use crate::{Error, Result, disk};

/// Bytes that are copied at once.
const BLOCK: usize = 1 << 20;
/// Bytes between two reports.
const REPORT: u64 = 64 << 20;

/// Makes the folder for a depot on a volume, with its mark.
///
/// # Errors
/// Something is in it that is not the daemon's.
pub(super) fn make(folder: &Path, key: &'static str) -> Result<()> {
    let mark = folder.join(MARK);
    if mark.is_file() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(Error::file("make", folder))?;
    if !entries(folder)?.is_empty() {
        let why = format!("{} is not empty: take out of it what is in it", folder.display());
        return Err(Error::invalid(key, why));
    }
    disk::write(&mark, b"Kept by the MicroCloud daemon.\n")?;
    disk::sync(folder)?;
    folder.parent().map_or(Ok(()), disk::sync)
}

/// Deletes all that is in a folder; none is Ok. Its mark goes last, so that what is left is known as the daemon's.
pub(super) fn clear(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for path in entries(folder)?.into_iter().filter(|path| !path.ends_with(MARK)) {
        match path.is_dir() && !path.is_symlink() {
            true => disk::remove_folder(&path)?,
            false => disk::remove_file(&path)?,
        }
    }
    disk::remove_file(&folder.join(MARK))
}

/// Copies what is in one folder to another, over what is there of the same names; it survives a power cut then.
pub(super) fn copy(from: &Path, to: &Path, control: &Control) -> Result<()> {
    let total = bytes(from)?;
    let mut work = Work { control, done: 0, told: 0, total };
    work.tell();
    work.folder(from, to)
}

/// How many bytes its files have.
fn bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for path in entries(folder)? {
        let meta = fs::symlink_metadata(&path).map_err(Error::file("look at", &path))?;
        sum += if meta.is_dir() { bytes(&path)? } else { meta.len() };
    }
    Ok(sum)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    read.map(|entry| entry.map(|entry| entry.path()).map_err(Error::file("read", folder))).collect()
}

struct Work<'a> {
    control: &'a Control,
    done: u64,
    told: u64,
    total: u64,
}

impl Work<'_> {
    fn folder(&mut self, from: &Path, to: &Path) -> Result<()> {
        for path in entries(from)?.into_iter().filter(|path| !path.ends_with(MARK)) {
            let there = to.join(path.file_name().unwrap_or_default());
            let meta = fs::symlink_metadata(&path).map_err(Error::file("look at", &path))?;
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                let made = DirBuilder::new().recursive(true).mode(mode).create(&there);
                made.map_err(Error::file("make", &there))?;
                self.folder(&path, &there)?;
            } else if meta.is_file() {
                self.file(&path, &there)?;
                let set = fs::set_permissions(&there, fs::Permissions::from_mode(mode));
                set.map_err(Error::file("change", &there))?;
                disk::sync(&there)?;
            }
        }
        disk::sync(to)
    }

    /// Holes stay holes.
    fn file(&mut self, from: &Path, to: &Path) -> Result<()> {
        let mut source = File::open(from).map_err(Error::file("read", from))?;
        let mut target = File::create(to).map_err(Error::file("write", to))?;
        let mut block = vec![0; BLOCK];
        let mut length = 0;
        loop {
            self.control.check()?;
            let count = source.read(&mut block).map_err(Error::file("read", from))?;
            if count == 0 {
                break;
            }
            let written = match block[..count].iter().all(|byte| *byte == 0) {
                true => target.seek(SeekFrom::Current(count as i64)).map(drop),
                false => target.write_all(&block[..count]),
            };
            written.map_err(Error::file("write", to))?;
            length += count as u64;
            self.done += count as u64;
            if self.done - self.told >= REPORT {
                self.tell();
            }
        }
        target.set_len(length).map_err(Error::file("write", to))
    }

    fn tell(&mut self) {
        self.told = self.done;
        self.control.report(Progress::bytes("move files", self.done, Some(self.total)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_all_there_and_what_is_cleared_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::create_dir_all(from.join("instances/default_web")).unwrap();
        fs::write(from.join("instances/default_web/backup0"), "whole").unwrap();
        let mut holes = vec![0; 3 * BLOCK + 5];
        holes[BLOCK] = 7;
        fs::write(from.join("disk"), &holes).unwrap();
        fs::set_permissions(from.join("disk"), fs::Permissions::from_mode(0o640)).unwrap();
        make(&to, "key").unwrap();
        make(&to, "key").unwrap();
        for _ in 0..2 {
            copy(&from, &to, &Control::none()).unwrap();
            assert_eq!(fs::read(to.join("disk")).unwrap(), holes);
            let mode = fs::metadata(to.join("disk")).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o640);
            let kept = fs::read(to.join("instances/default_web/backup0")).unwrap();
            assert_eq!(kept, b"whole");
        }
        clear(&to).unwrap();
        assert!(entries(&to).unwrap().is_empty());
        clear(&to).unwrap();
        fs::write(to.join("mine"), "").unwrap();
        make(&to, "key").unwrap_err();
    }

    #[test]
    fn a_copy_that_is_cancelled_stops() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("a"), "a").unwrap();
        make(&to, "key").unwrap();
        let control = Control::none();
        control.cancel();
        copy(&from, &to, &control).unwrap_err();
    }
}
