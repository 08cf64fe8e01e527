//! Files and folders of the server's own, as steps need them that can be done again: what is to go may be gone, and what is
//! named is on the disk.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::{Error, Result};

/// Removes a file; none is Ok.
pub(crate) fn remove_file(file: &Path) -> Result<()> {
    absent_is_done(fs::remove_file(file), "remove", file)
}

/// Removes a folder with all that is in it; none is Ok.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    absent_is_done(fs::remove_dir_all(folder), "remove", folder)
}

/// Moves a file or a folder; none is Ok.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    absent_is_done(fs::rename(from, to), "move", from)
}

/// Ok where it was not there, as whoever did it before did not get to its end.
pub(crate) fn absent_is_done(done: io::Result<()>, verb: &'static str, path: &Path) -> Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file(verb, path)(error))
        }
        _ => Ok(()),
    }
}

/// Has a file, or the names in a folder, survive a power cut.
pub(crate) fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::file("sync", path))
}

/// Writes a file that survives a power cut, once its folder does.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::file("write", path))
}
