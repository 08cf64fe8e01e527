//! Images made here, from a distribution's own packages or from busybox alone.
//!
//! ```text
//! recipe --root made in work/rootfs--> files of ours added --> packed into work/image.tar.zst
//! ```
//! Both are kept: the tarball is the image (its hash the fingerprint; it is what is exported and
//! copied), and the root becomes the first pool's image volume by a rename, so the first launch need
//! not unpack it again. Why: `docs/decisions/0004-built-images.md`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use exec::{Control, Progress};

use crate::error::At;
use crate::{
    Compression, Contents, Error, Files, Found, Kind, Limits, Metadata, Result, Root, pack, unpack,
};

mod archive;
mod busybox;
mod calendar;
mod files;
mod keyring;
mod mirror;
mod recipe;

#[cfg(test)]
mod tests;

pub use recipe::{RECIPES, Recipe, RecipeInfo};

/// An image that was made. The work folder is the caller's to remove.
#[derive(Debug)]
pub struct Built {
    /// As if [`crate::inspect`] had read the tarball.
    pub found: Found,
    /// The image in one file.
    pub tarball: PathBuf,
    /// `metadata.yaml` and `rootfs/`, until [`Built::place`] takes them.
    tree: PathBuf,
}

impl Built {
    /// Moves the files into an image volume that is being filled; unpacks the tarball when they are
    /// on another file system or were taken before.
    pub fn place(&self, into: &Path, control: &Control) -> Result<()> {
        if fs::rename(self.tree.join("rootfs"), into.join("rootfs")).is_ok() {
            let text = self.found.metadata.text()?;
            return fs::write(into.join("metadata.yaml"), text).at("write", into);
        }
        let files = Files::unified(&self.tarball);
        unpack(&files, into, &Limits::default(), control).map(drop)
    }
}

/// Makes an image in `work`, an empty folder; best on the file system of the pool it is for.
pub fn build(recipe: &Recipe, work: &Path, control: &Control) -> Result<Built> {
    let info = recipe.info()?;
    let tree = work.join("tree");
    fs::create_dir(&tree).at("make folder", &tree)?;
    let rootfs = tree.join("rootfs");
    match info.source {
        recipe::Source::Busybox => busybox::make(&rootfs, control)?,
        recipe::Source::Archive(release) => archive::make(recipe, release, &rootfs, control)?,
    }
    let metadata = describe(info, recipe);
    control.report(Progress::stage("pack image"));
    let tarball = work.join("image.tar.zst");
    let file = File::create_new(&tarball).at("create", &tarball)?;
    let contents =
        Contents { metadata: &metadata, templates: None, boot: None, root: Root::Files(&rootfs) };
    let packed = pack(&contents, Compression::Zstd, &file, control)?;
    file.sync_all().at("sync", &tarball)?;
    let (fingerprint, size) = (packed.fingerprint, packed.size);
    let found = Found { fingerprint, size, metadata, kind: Kind::Container };
    Ok(Built { found, tarball, tree })
}

fn describe(info: &RecipeInfo, recipe: &Recipe) -> Metadata {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let serial = calendar::serial(now);
    let architecture = std::env::consts::ARCH;
    let debian = mirror::debian_architecture(architecture);
    let title = format!("{} {} {debian} ({serial})", info.os, info.release);
    let mut metadata = Metadata {
        architecture: architecture.to_owned(),
        creation_date: now as i64,
        ..Metadata::default()
    };
    let mut set = |key: &str, value: &str| {
        metadata.properties.insert(key.to_owned(), value.to_owned());
    };
    set("os", info.os);
    set("release", info.release);
    set("architecture", debian);
    set("description", &title);
    set("serial", &serial);
    set("variant", "default");
    if let recipe::Source::Archive(release) = info.source {
        set("build.suite", release.suite);
        set("build.mirror", &mirror::main(recipe, release));
    }
    metadata
}

/// The names [`Recipe::new`] knows, for messages.
fn known() -> String {
    RECIPES.iter().map(|info| info.name).collect::<Vec<_>>().join(", ")
}

fn unknown(name: &str) -> Error {
    Error::UnknownRecipe { name: name.to_owned(), known: known() }
}
