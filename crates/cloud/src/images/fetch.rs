//! Gets the files of an image from another member, when they are not on this one.

use std::path::Path;

use client::Request;
use images::{Digest, Files};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
};
use wire::{endpoints::images::ImageExport, query::ImageQuery};

use super::files;
use crate::{
    Error, Result, World,
    cluster::{self, CALLER, Place},
    db::images::Image,
};

/// Bytes that are hashed at once.
const BLOCK: usize = 256 << 10;

/// Has the files of the image here. The first member that gives what the fingerprint says is enough.
pub(super) async fn ensure(world: &World, image: &Image) -> Result<()> {
    if files::are_here(world, &image.fingerprint)? || !world.is_clustered() {
        return Ok(());
    }
    let mut last = Error::not_found("file of image", &image.fingerprint);
    for place in world.cluster.links.others() {
        let folder = tempfile::tempdir_in(world.dirs.cache())
            .map_err(Error::file("make a folder in", &world.dirs.cache()))?;
        match fetch(world, &place, image, folder.path()).await {
            Ok(files) => return files::keep(world, files, &image.fingerprint).await,
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn fetch(world: &World, place: &Place, image: &Image, folder: &Path) -> Result<Files> {
    let client = cluster::client(world, place)?;
    let query = ImageQuery { project: Some(image.project.clone()), secret: None };
    let request = client.request::<ImageExport>(&[&image.fingerprint]).query(&query)?;
    let files = receive(request.header(CALLER, cluster::itself()), folder).await?;
    check(&files, image).await?;
    Ok(files)
}

/// Writes what a server sends of an image: one file, or both as a form.
pub(super) async fn receive(request: Request<'_, ImageExport>, folder: &Path) -> Result<Files> {
    let received = request.receive().await?;
    let mut files = Files { main: folder.join("main"), rootfs: None };
    let create = async |path: &Path| File::create(path).await.map_err(Error::file("write", path));
    match received.form() {
        Err(one) => {
            let mut main = create(&files.main).await?;
            one.copy_to(&mut main).await?;
            main.flush().await.map_err(Error::file("write", &files.main))?;
        }
        Ok(mut form) => {
            let rootfs = files.main.with_file_name("rootfs");
            let place = async |field: &str| {
                create(if field == "metadata" { &files.main } else { &rootfs }).await
            };
            while form.next(place).await? {}
            files.rootfs = Some(rootfs);
        }
    }
    Ok(files)
}

async fn check(files: &Files, image: &Image) -> Result<()> {
    let mut digest = Digest::default();
    let mut block = vec![0; BLOCK];
    for path in std::iter::once(&files.main).chain(&files.rootfs) {
        let mut file = File::open(path).await.map_err(Error::file("read", path))?;
        loop {
            match file.read(&mut block).await.map_err(Error::file("read", path))? {
                0 => break,
                length => digest.update(&block[..length]),
            }
        }
    }
    match digest.fingerprint() == image.fingerprint {
        true => Ok(()),
        false => Err(Error::BrokenOff),
    }
}
