//! Files put into a new root. The root is ours and fresh, so plain paths do.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::Result;
use crate::error::At;

/// Writes a file, with the folders above it.
pub(super) fn write(root: &Path, path: &str, mode: u32, text: &str) -> Result<()> {
    let full = root.join(path);
    if let Some(folder) = full.parent() {
        fs::create_dir_all(folder).at("make folder", folder)?;
    }
    remove(root, path)?;
    fs::write(&full, text).at("write", &full)?;
    set_mode(&full, mode)
}

/// Makes a symbolic link in place of what is there.
pub(super) fn link(root: &Path, path: &str, to: &str) -> Result<()> {
    remove(root, path)?;
    let full = root.join(path);
    symlink(to, &full).at("make link", full)
}

/// Makes a folder.
pub(super) fn folder(root: &Path, path: &str, mode: u32) -> Result<()> {
    let full = root.join(path);
    fs::create_dir_all(&full).at("make folder", &full)?;
    set_mode(&full, mode)
}

/// Removes a file or link; an absent one is Ok.
pub(super) fn remove(root: &Path, path: &str) -> Result<()> {
    let full = root.join(path);
    match fs::remove_file(&full) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", full),
    }
}

/// Removes what is in a folder; an absent one is Ok.
pub(super) fn empty(root: &Path, path: &str) -> Result<()> {
    let full = root.join(path);
    let Ok(entries) = fs::read_dir(&full) else { return Ok(()) };
    for entry in entries {
        let path = entry.at("list", &full)?.path();
        let is_dir = fs::symlink_metadata(&path).at("look at", &path)?.is_dir();
        let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.at("remove", &path)?;
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).at("change the mode of", path)
}
