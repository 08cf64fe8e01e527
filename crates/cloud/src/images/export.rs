//! The files of an image, for a client that wants them.

use std::path::PathBuf;

use super::files;
use crate::{Result, World};

/// An image's files and what to call them.
pub struct Export {
    /// The image, or the metadata of a split one.
    pub main: PathBuf,
    /// The root of a split one.
    pub rootfs: Option<PathBuf>,
    /// Its whole fingerprint.
    pub fingerprint: String,
    /// Name of the main file without folder.
    pub filename: String,
}

/// Where the files of an image are.
pub fn export(world: &World, project: &str, fingerprint: &str) -> Result<Export> {
    let row = world.store.read(|db| super::find(db, project, fingerprint))?;
    let files = files::of(world, &row.fingerprint);
    let extension = images::Format::of(&files.main)?.extension();
    let filename = format!("{}.{extension}", row.fingerprint);
    Ok(Export { main: files.main, rootfs: files.rootfs, fingerprint: row.fingerprint, filename })
}
