//! Images made here, from a distribution's own packages or from busybox alone.
//!
//! ```text
//! recipe --root made in work/rootfs--> files of ours added --> packed into work/image.tar.zst
//! ```
//! Of a machine, the root becomes a disk (`machine`) and the tarball holds the metadata alone.
//!
//! Both are kept: the tarball is the image (its hash the fingerprint; it is what is exported and
//! copied), and the root becomes the first pool's image volume by a rename, so the first launch need
//! not unpack it again. Why: `docs/decisions/0004-built-images.md`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use exec::{Control, Progress};

use crate::error::At;
use crate::{
    Compression, Contents, Error, Files, Found, Kind, Limits, Metadata, Result, Root, Tarball,
    disk, inspect, pack, unpack,
};

mod archive;
mod busybox;
mod calendar;
mod files;
mod keyring;
mod machine;
mod mirror;
mod recipe;

#[cfg(test)]
mod tests;

pub use recipe::{RECIPES, Recipe, RecipeInfo};

/// An image that was made. The work folder is the caller's to remove.
#[derive(Debug)]
pub struct Built {
    /// As if [`crate::inspect`] had read the files.
    pub found: Found,
    /// The image in one file, or in two.
    pub files: Files,
    /// What an image volume holds, until [`Built::place`] takes it.
    contents: PathBuf,
}

impl Built {
    /// Moves the contents into an image volume that is being filled; unpacks the files when it is
    /// on another file system or they were taken before.
    pub fn place(&self, into: &Path, control: &Control) -> Result<()> {
        let name = self.contents.file_name().unwrap_or_default();
        if fs::rename(&self.contents, into.join(name)).is_ok() {
            let text = self.found.metadata.text()?;
            return fs::write(into.join("metadata.yaml"), text).at("write", into);
        }
        match self.found.kind {
            Kind::Container => unpack(&self.files, into, &Limits::default(), control).map(drop),
            Kind::VirtualMachine => unpack_machine_image(&self.files, into, control),
        }
    }
}

/// Unpacks the files of a machine's image: its disk becomes a plain one, `root.img`.
pub fn unpack_machine_image(files: &Files, into: &Path, control: &Control) -> Result<()> {
    unpack(files, into, &Limits::default(), control)?;
    let (given, plain) = (into.join("disk.qcow2"), into.join("root.img"));
    if !disk::is_qcow2(&given)? {
        return fs::rename(&given, &plain).at("rename", &given);
    }
    // One that names another file would have that read from this machine.
    disk::qcow2_size(&given)?;
    exec::qemu_img::to_raw(&given, &plain, control)?;
    fs::remove_file(&given).at("remove", &given)
}

/// Makes an image in `work`, an empty folder; best on the file system of the pool it is for.
pub fn build(recipe: &Recipe, work: &Path, control: &Control) -> Result<Built> {
    let info = recipe.info()?;
    let tree = work.join("tree");
    fs::create_dir(&tree).at("make folder", &tree)?;
    let rootfs = tree.join("rootfs");
    let metadata = describe(info, recipe);
    match (&info.source, recipe.kind()) {
        (recipe::Source::Busybox, _) => busybox::make(&rootfs, control)?,
        (recipe::Source::Archive(release), Kind::Container) => {
            archive::make(recipe, release, &rootfs, control)?;
        }
        (recipe::Source::Archive(release), Kind::VirtualMachine) => {
            archive::make(recipe, release, &rootfs, control)?;
            let disk = machine::make(release, &rootfs, work, control)?;
            return machine(metadata, disk, work, control);
        }
    }
    control.report(Progress::stage("pack image"));
    let tarball = work.join("image.tar.zst");
    let file = File::create_new(&tarball).at("create", &tarball)?;
    let contents =
        Contents { metadata: &metadata, templates: None, boot: None, root: Root::Files(&rootfs) };
    let packed = pack(&contents, Compression::Zstd, &file, control)?;
    file.sync_all().at("sync", &tarball)?;
    let (fingerprint, size) = (packed.fingerprint, packed.size);
    let found = Found { fingerprint, size, metadata, kind: Kind::Container };
    Ok(Built { found, files: Files::unified(tarball), contents: rootfs })
}

/// The image of a disk: its metadata in a tarball of its own, and the disk.
fn machine(
    metadata: Metadata,
    disk: machine::Disk,
    work: &Path,
    control: &Control,
) -> Result<Built> {
    let main = work.join("image.tar.zst");
    let file = File::create_new(&main).at("create", &main)?;
    let mut tarball = Tarball::new(file, Compression::Zstd, "pack image", control)?;
    tarball.text("metadata.yaml", metadata.text()?.as_bytes())?;
    tarball.finish()?;
    let files = Files::split(main, disk.qcow2);
    let found = inspect(&files, control)?;
    Ok(Built { found, files, contents: disk.raw })
}

fn describe(info: &RecipeInfo, recipe: &Recipe) -> Metadata {
    let now = clock::since_1970().as_secs();
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

fn no_machine(name: &str) -> Error {
    let machines = RECIPES.iter().filter(|info| info.makes(Kind::VirtualMachine));
    let known = machines.map(|info| info.name).collect::<Vec<_>>().join(", ");
    Error::NoMachine { name: name.to_owned(), known }
}
