//! How much room a volume takes.

use storage::{VolumeId, VolumeKind};
use wire::{StorageVolumeState, StorageVolumeStateUsage};

use super::Key;
use crate::{Error, Result, World, blocking::blocking, instances::Kind};

/// What there is to say of a volume of any kind now.
pub async fn state(
    world: &World,
    pool: &str,
    project: &str,
    kind: &str,
    name: &str,
) -> Result<StorageVolumeState> {
    let shown = super::get(world, pool, project, kind, name).await?;
    let id = match kind {
        "custom" => world.store.read(|db| Key::of(db, pool, project, name))?.on_disk()?,
        "container" | "virtual-machine" => Kind::of(kind).root(project, name)?,
        "image" => VolumeId::new(VolumeKind::Image, name)?,
        _ => return Err(Error::Unsupported("the state of such a volume")),
    };
    let open = world.pools.open(world, pool).await?;
    let (size, used) = blocking("measure volume", move || {
        Ok::<_, Error>((open.describe(&id)?.size, open.volume_usage(&id)?))
    })
    .await?;
    let total = size.filter(|_| shown.content_type != "iso").unwrap_or_default();
    let usage = used.map(|used| StorageVolumeStateUsage { used, total });
    Ok(StorageVolumeState { usage })
}
