//! Deleting volumes, and images that volumes still stand on.
//!
//! ```text
//! image --delete, unused--> trash
//!   |  ^--create again (same name, same contents)--.
//!   '--delete, used--> marked `deleted` (not listed, files stay) --last user deleted--> trash
//! ```

use super::layout::Layout;
use super::lock::Lock;
use super::meta::Meta;
use super::pool::DirPool;
use super::trash::Trash;
use crate::{Result, VolumeId, VolumeKind, fsio};

/// Deletes a volume; an absent one is Ok.
pub(super) fn volume(pool: &DirPool, id: &VolumeId) -> Result<()> {
    let _lock = Lock::pool(&pool.layout)?;
    let place = pool.layout.volume(id);
    if id.kind == VolumeKind::Image {
        return match fsio::exists(&place.folder)? && used(&pool.layout, &id.name)? {
            true => mark(pool, id),
            false => pool.trash.throw(&place.folder),
        };
    }
    // A volume whose metadata is damaged can be deleted too; its image then waits for the next sweep.
    let lower = Meta::find(&place).ok().flatten().and_then(|meta| meta.lower);
    pool.trash.throw(&place.folder)?;
    match lower {
        Some(image) => release(&pool.layout, &pool.trash, &image),
        None => Ok(()),
    }
}

/// Removes the images that were deleted while in use and are no longer.
pub(super) fn sweep(layout: &Layout, trash: &Trash) -> Result<()> {
    let _lock = Lock::pool(layout)?;
    for image in fsio::names(&layout.kind(VolumeKind::Image))? {
        release(layout, trash, &image)?;
    }
    Ok(())
}

fn mark(pool: &DirPool, id: &VolumeId) -> Result<()> {
    let place = pool.layout.volume(id);
    if !fsio::exists(&place.deleted())? {
        fsio::write_new(&place.deleted(), b"")?;
        fsio::sync_dir(&place.folder)?;
    }
    Ok(())
}

fn release(layout: &Layout, trash: &Trash, image: &str) -> Result<()> {
    let place = layout.volume(&VolumeId { kind: VolumeKind::Image, name: image.to_owned() });
    if fsio::exists(&place.deleted())? && !used(layout, image)? {
        trash.throw(&place.folder)?;
    }
    Ok(())
}

/// Whether a volume stands on the image. One whose metadata cannot be read might.
fn used(layout: &Layout, image: &str) -> Result<bool> {
    for kind in [VolumeKind::Container, VolumeKind::VirtualMachine] {
        for name in fsio::names(&layout.kind(kind))? {
            let place = layout.volume(&VolumeId { kind, name });
            match Meta::find(&place) {
                Ok(Some(meta)) if meta.lower.as_deref() == Some(image) => return Ok(true),
                Ok(_) => {}
                Err(_) => return Ok(true),
            }
        }
    }
    Ok(false)
}
