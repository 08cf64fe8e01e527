//! The files of an image, for a client that wants them.

use std::path::{Path, PathBuf};

use super::files;
use crate::{Result, World, depots::Held};

/// An image's files and what to call them.
pub struct Export {
    /// The image, or the metadata of a split one.
    pub main: PathBuf,
    /// The root of a split one.
    pub rootfs: Option<Rootfs>,
    /// Its whole fingerprint.
    pub fingerprint: String,
    /// Name of the main file without folder.
    pub filename: String,
    /// Keeps the files where they are until they are open.
    pub held: Held,
}

/// The root of a split image.
pub struct Rootfs {
    /// Where it is.
    pub path: PathBuf,
    /// Its name without folder.
    pub filename: String,
}

/// Where the files of an image are.
pub async fn export(world: &World, project: &str, fingerprint: &str) -> Result<Export> {
    let row = world.store.read(|db| super::find(db, project, fingerprint))?;
    let held = files::hold(world).await?;
    let files = files::of(&held, &row.fingerprint);
    let fingerprint = row.fingerprint;
    let name = |file: &Path| {
        let extension = images::Format::of(file)?.extension();
        Ok::<_, images::Error>(format!("{fingerprint}.{extension}"))
    };
    let filename = name(&files.main)?;
    let rootfs =
        files.rootfs.map(|path| Ok::<_, crate::Error>(Rootfs { filename: name(&path)?, path }));
    let rootfs = rootfs.transpose()?;
    Ok(Export { main: files.main, rootfs, fingerprint, filename, held })
}
