//! The files of images: `images/<fingerprint>`, and `<fingerprint>.rootfs` of a split one.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use images::{Files, Found, Kind};

use crate::{
    Error, Result, World,
    blocking::blocking,
    db::{
        images::{self as rows, Image, Source},
        instances::Made,
    },
    depots::{self, Depot, Held},
    disk,
};

/// Has the files of images stay where they are until the result is dropped.
pub(super) async fn hold(world: &World) -> Result<Held> {
    depots::hold(world, Depot::Images).await
}

/// Fails where no files of images can be kept.
pub(super) fn check_place(world: &World) -> Result<()> {
    world.depots.path(Depot::Images).map(drop)
}

/// Whether the files of an image are here.
pub(super) fn are_here(world: &World, fingerprint: &str) -> Result<bool> {
    Ok(world.depots.path(Depot::Images)?.join(fingerprint).exists())
}

/// Where the files of an image are.
pub(super) fn of(held: &Held, fingerprint: &str) -> Files {
    let main = held.folder().join(fingerprint);
    let rootfs = held.folder().join(format!("{fingerprint}.rootfs"));
    Files { main, rootfs: rootfs.exists().then_some(rootfs) }
}

/// Moves files to their place, durably. Files that are there already have the same contents.
pub(super) async fn keep(world: &World, from: Files, fingerprint: &str) -> Result<()> {
    let held = hold(world).await?;
    let fingerprint = fingerprint.to_owned();
    blocking("keep image", move || {
        let folder = held.folder();
        if let Some(rootfs) = &from.rootfs {
            place(rootfs, &folder.join(format!("{fingerprint}.rootfs")))?;
        }
        place(&from.main, &folder.join(&fingerprint))?;
        disk::sync(folder)
    })
    .await
}

fn place(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    disk::sync(from)?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => carry(from, to),
        moved => moved.map_err(Error::file("keep", to)),
    }
}

/// The same onto another file system. What a crash leaves halfway has a name of no image ([`clean`]).
fn carry(from: &Path, to: &Path) -> Result<()> {
    let mut half = to.as_os_str().to_owned();
    half.push(".part");
    let half = PathBuf::from(half);
    fs::copy(from, &half).map_err(Error::file("write", &half))?;
    disk::sync(&half)?;
    fs::rename(&half, to).map_err(Error::file("keep", to))?;
    disk::remove_file(from)
}

/// Removes the files of an image that no project has any more.
pub(super) async fn drop_unused(world: &World, fingerprint: &str) -> Result<()> {
    let used = world.store.read(|db| {
        Ok::<_, Error>(rows::all(db)?.iter().any(|row| row.fingerprint == fingerprint))
    })?;
    if used {
        return Ok(());
    }
    let held = match hold(world).await {
        // They are found to be of no image when the volume is there again.
        Err(Error::NoDepot { .. }) => return Ok(()),
        held => held?,
    };
    let files = of(&held, fingerprint);
    for path in std::iter::once(files.main).chain(files.rootfs) {
        disk::remove_file(&path)?;
    }
    Ok(())
}

/// Removes what a crash left: uploads under way, and files without a row.
pub(crate) fn clean(world: &World) -> Result<()> {
    let cache = world.dirs.cache();
    for path in entries(&cache)? {
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(Error::file("remove", &path))?;
    }
    match world.depots.path(Depot::Images) {
        Ok(folder) => clean_folder(world, &folder),
        // It is cleaned when it is there again.
        Err(_) => Ok(()),
    }
}

/// Removes the files without a row from the folder of images.
pub(crate) fn clean_folder(world: &World, folder: &Path) -> Result<()> {
    let known: HashSet<String> = world.store.read(|db| {
        Ok::<_, Error>(rows::all(db)?.into_iter().map(|row| row.fingerprint).collect())
    })?;
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != depots::MARK && !known.contains(name.trim_end_matches(".rootfs")) {
            disk::remove_file(&path)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    read.map(|entry| entry.map(|entry| entry.path()).map_err(Error::file("read", folder))).collect()
}

/// The row of an image that was found in files.
pub(super) fn row(found: &Found, project: &str, filename: &str, source: Source) -> Image {
    let moment = |seconds: i64| chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    Image {
        id: 0,
        project: project.to_owned(),
        fingerprint: found.fingerprint.clone(),
        kind: match found.kind {
            Kind::Container => String::from("container"),
            Kind::VirtualMachine => String::from("virtual-machine"),
        },
        filename: filename.to_owned(),
        size: i64::try_from(found.size).unwrap_or(i64::MAX),
        architecture: found.metadata.architecture.clone(),
        public: false,
        auto_update: false,
        cached: false,
        properties: found.metadata.properties.clone(),
        source,
        created_at: moment(found.metadata.creation_date),
        expires_at: moment(found.metadata.expiry_date),
        uploaded_at: clock::utc(),
        last_used_at: chrono::DateTime::UNIX_EPOCH,
        made: Made::Ready,
    }
}
