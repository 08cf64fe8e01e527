//! An image as a volume of a pool: unpacked once, the base of all roots made of it.

use std::path::Path;

use exec::Control;
use images::Limits;
use storage::{Shape, VolumeId, VolumeKind};

use super::{fetch, files};
use crate::{
    Result, World, blocking::blocking, db::images::Image, instances::Kind, storage::OpenPool,
};

/// The volume of an image.
pub(crate) fn id(image: &Image) -> Result<VolumeId> {
    Ok(VolumeId::new(VolumeKind::Image, image.fingerprint.as_str())?)
}

/// Makes the volume if the pool has it not yet. Of two who want it, one waits for the other.
pub(crate) async fn ensure(
    world: &World,
    pool: &str,
    image: &Image,
    control: &Control,
) -> Result<()> {
    let claim = [tasks::Claim::alone(format!("image-volume/{pool}/{}", image.fingerprint))];
    let _guard = world.locks().lock(&claim, "the unpacking of the image").await;
    control.check()?;
    let (pool, volume) = (world.pools.open(world, pool).await?, id(image)?);
    if files::check_place(world).is_err() && is_there(&pool, &volume).await? {
        // What is unpacked needs no files.
        return Ok(());
    }
    fetch::ensure(world, image).await?;
    let (held, kind) = (files::hold(world).await?, Kind::of(&image.kind));
    let files = files::of(&held, &image.fingerprint);
    let control = control.clone();
    blocking("make image volume", move || {
        if pool.exists(&volume)? {
            return Ok(());
        }
        let mut unpack = |folder: &Path| match kind {
            Kind::Container => {
                images::unpack(&files, folder, &Limits::default(), &control)?;
                Ok(())
            }
            Kind::VirtualMachine => Ok(images::unpack_machine_image(&files, folder, &control)?),
        };
        let shape = Shape { content: kind.content(), ..Shape::filesystem() };
        let created = pool.create(&volume, &shape, Some(&mut unpack), &control);
        drop(held);
        created
    })
    .await
}

async fn is_there(pool: &OpenPool, volume: &VolumeId) -> Result<bool> {
    let (pool, volume) = (pool.clone(), volume.clone());
    blocking("find image volume", move || pool.exists(&volume)).await
}

/// Removes the volume; nothing there is Ok.
pub(crate) async fn delete(world: &World, pool: &str, fingerprint: &str) -> Result<()> {
    let pool = world.pools.open(world, pool).await?;
    let volume = VolumeId::new(VolumeKind::Image, fingerprint)?;
    blocking("delete image volume", move || pool.delete(&volume)).await
}
