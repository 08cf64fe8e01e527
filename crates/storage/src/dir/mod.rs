//! Driver `dir`: a plain folder on any Linux file system.
//!
//! An instance's root is an overlay: a folder of its own on top of the image's unpacked files, which
//! all instances share. So making one costs the same whatever the image's size. Whoever runs the
//! instance mounts the layers; this driver only names them. Why, and what it costs:
//! `docs/decisions/0003-dir-root.md`.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::At;
use crate::{Driver, DriverInfo, Error, Pool, PoolSpec, Result, VolumeKind, fallback, fsio};

mod build;
mod clone;
mod delete;
mod layers;
mod layout;
mod lock;
mod meta;
mod pool;
mod projects;
mod snapshots;
mod streams;
mod trash;
mod trees;

#[cfg(test)]
mod tests;

pub(crate) use build::Build;
pub(crate) use layout::{Layout, Place};
pub(crate) use lock::Lock;
pub(crate) use meta::Meta;
use pool::DirPool;
pub(crate) use trees::{Purpose, TreeStreams, Trees, Wanted, move_out};

/// The driver.
pub(crate) struct Dir;

static INFO: DriverInfo = DriverInfo { name: "dir", remote: false, streams: false, version: 1 };

/// `pool.json`.
#[derive(Serialize, Deserialize)]
struct Marker {
    version: u32,
    driver: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
}

impl Driver for Dir {
    fn info(&self) -> &'static DriverInfo {
        &INFO
    }

    fn create(&self, spec: &PoolSpec) -> Result<()> {
        if spec.source.is_none() {
            fs::create_dir_all(&spec.path).at("make folder", &spec.path)?;
        }
        make(&root(spec), &INFO, spec.id)?;
        link(spec)
    }

    fn open(&self, spec: &PoolSpec) -> Result<Box<dyn Pool>> {
        let root = root(spec);
        let layout = Layout::new(&root);
        check(&layout, &INFO, spec.id)?;
        fsio::ensure_dir(&layout.tmp(), 0o700)?;
        open(&root, &INFO, spec.id, projects::probe(&layout)?)
    }

    fn recognise(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        identity(&root(spec))
    }

    fn delete(&self, spec: &PoolSpec) -> Result<()> {
        empty(spec, &root(spec), &INFO)?;
        unlink(spec)
    }
}

/// Where the pool really is.
fn root(spec: &PoolSpec) -> PathBuf {
    spec.source.clone().unwrap_or_else(|| spec.path.clone())
}

/// Makes a folder that is there and empty a pool; one that is that pool already is Ok.
pub(crate) fn make(root: &Path, info: &'static DriverInfo, id: Option<Uuid>) -> Result<()> {
    let layout = Layout::new(root);
    if !has_marker(&layout, info, id)? {
        start(&layout, info, id)?;
    }
    layout.folders().try_for_each(|folder| fsio::ensure_dir(&folder, 0o700))
}

/// Opens the pool in a folder and removes what a crash left in it.
pub(crate) fn open(
    root: &Path,
    info: &'static DriverInfo,
    id: Option<Uuid>,
    trees: Arc<dyn Trees>,
) -> Result<Box<dyn Pool>> {
    let layout = Layout::new(root);
    check(&layout, info, id)?;
    layout.folders().try_for_each(|folder| fsio::ensure_dir(&folder, 0o700))?;
    Ok(Box::new(DirPool::open(layout, info, id, trees)?))
}

/// Fails unless that pool is there.
fn check(layout: &Layout, info: &DriverInfo, id: Option<Uuid>) -> Result<()> {
    match has_marker(layout, info, id)? {
        true => Ok(()),
        false => Err(Error::NoPool { path: layout.root.clone() }),
    }
}

/// Removes a pool's files from a folder, which stays; refuses while it has volumes that are no images.
/// Another pool's files stay.
pub(crate) fn empty(spec: &PoolSpec, root: &Path, info: &DriverInfo) -> Result<()> {
    let layout = Layout::new(root);
    match has_marker(&layout, info, spec.id) {
        Ok(true) => {}
        Ok(false) | Err(Error::ForeignPool { .. }) => return Ok(()),
        Err(error) => return Err(error),
    }
    let kept = pool::list(&layout)?.into_iter().filter(|id| id.kind != VolumeKind::Image);
    match kept.count() {
        0 => remove(&layout),
        count => Err(Error::PoolInUse { pool: spec.name.clone(), count }),
    }
}

fn start(layout: &Layout, info: &DriverInfo, id: Option<Uuid>) -> Result<()> {
    let foreign = |name: &String| name != "lost+found" && name != "pool.new";
    if fsio::names(&layout.root)?.iter().any(foreign) {
        return Err(Error::NotEmpty { path: layout.root.clone() });
    }
    let marker = Marker { version: info.version, driver: info.name.to_owned(), id };
    let text = serde_json::to_vec(&marker)
        .map_err(|source| Error::Damaged { path: layout.marker(), source })?;
    fsio::replace(&layout.marker(), &text)
}

/// Whether that pool is in the folder; false where there is none.
fn has_marker(layout: &Layout, info: &DriverInfo, id: Option<Uuid>) -> Result<bool> {
    let Some(marker) = marker(layout)? else { return Ok(false) };
    if marker.driver != info.name || marker.version > info.version {
        let (driver, version) = (marker.driver, marker.version);
        return Err(Error::OtherPool { path: layout.root.clone(), driver, version });
    }
    match marker.id == id {
        true => Ok(true),
        false => Err(Error::ForeignPool { path: layout.root.clone() }),
    }
}

fn marker(layout: &Layout) -> Result<Option<Marker>> {
    let path = layout.marker();
    let Some(data) = fsio::read(&path)? else { return Ok(None) };
    serde_json::from_slice(&data).map(Some).map_err(|source| Error::Damaged { path, source })
}

/// The identity of the pool whose files are in a folder.
pub(crate) fn identity(folder: &Path) -> Result<Option<Uuid>> {
    Ok(marker(&Layout::new(folder))?.and_then(|marker| marker.id))
}

/// The driver of the pool whose files are in a folder.
pub(crate) fn driver_in(folder: &Path) -> Result<Option<String>> {
    Ok(marker(&Layout::new(folder))?.map(|marker| marker.driver))
}

/// With a source, the pool's folder in the state folder is a link to it.
pub(crate) fn link(spec: &PoolSpec) -> Result<()> {
    let Some(source) = &spec.source else { return Ok(()) };
    match fs::read_link(&spec.path) {
        Ok(to) if to == *source => Ok(()),
        _ => symlink(source, &spec.path).at("link", &spec.path),
    }
}

pub(crate) fn unlink(spec: &PoolSpec) -> Result<()> {
    match &spec.source {
        Some(_) => fsio::remove_file(&spec.path),
        None => remove_dir(&spec.path),
    }
}

/// Removes what is ours, the marker last, so that a pool half removed can be removed again.
fn remove(layout: &Layout) -> Result<()> {
    for folder in layout.folders() {
        fallback::remove_tree(&folder)?;
    }
    fsio::remove_file(&layout.record())?;
    fsio::remove_file(&layout.record().with_extension("new"))?;
    fsio::remove_file(&layout.lock())?;
    fsio::remove_file(&layout.marker())
}

/// Removes a folder; one that is absent, or has others' files in it, is Ok.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    use io::ErrorKind::{DirectoryNotEmpty, NotFound};
    match fs::remove_dir(path) {
        Err(e) if matches!(e.kind(), NotFound | DirectoryNotEmpty) => Ok(()),
        other => other.at("remove", path),
    }
}
