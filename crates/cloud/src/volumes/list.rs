//! What clients see of volumes: custom ones, roots of instances, and images as a pool holds them.

use storage::VolumeKind;
use wire::StorageVolume;

use super::{Uses, users::User};
use crate::{
    Error, Result, World,
    blocking::blocking,
    cluster::lease,
    db::{
        images,
        instances::Made,
        members, pools,
        volumes::{self as rows, Volume},
    },
    url,
};

/// Every volume of a pool, of a project or of all.
pub async fn list(world: &World, pool: &str, project: Option<&str>) -> Result<Vec<StorageVolume>> {
    let mut found: Vec<StorageVolume> = world.store.read(|db| {
        crate::storage::find(db, pool)?;
        let home = project.map(|name| super::home(db, name)).transpose()?;
        let uses = Uses::read(db)?;
        let rows = rows::of_pool(db, pool)?.into_iter();
        let wanted = rows.filter(|row| match row.kind.as_str() {
            "custom" => row.made == Made::Ready && home.as_ref().is_none_or(|h| *h == row.project),
            _ => project.is_none_or(|name| name == row.project),
        });
        let shared = lease::shared(db)?.contains(pool);
        let mut found = Vec::new();
        for row in wanted {
            // One that all share is at none of them.
            let location = match shared {
                true => String::new(),
                false => members::location(db, &row.member)?,
            };
            let snapshots = super::snapshots::volumes(db, &row, &location)?;
            found.push(StorageVolume { location, ..render(row, &uses) });
            found.extend(snapshots);
        }
        Ok::<_, Error>(found)
    })?;
    found.extend(image_volumes(world, pool, project).await?);
    Ok(found)
}

/// The same of all pools.
pub async fn all(world: &World, project: Option<&str>) -> Result<Vec<StorageVolume>> {
    let pools = world.store.read(|db| Ok::<_, Error>(pools::all(db)?))?;
    let mut found = Vec::new();
    for pool in pools.into_iter().filter(|pool| pool.made == Made::Ready) {
        found.extend(list(world, &pool.name, project).await?);
    }
    Ok(found)
}

/// Fails when there is no such kind of volume.
pub fn check_kind(kind: &str) -> Result<()> {
    const KINDS: [&str; 4] = ["container", "virtual-machine", "image", "custom"];
    match KINDS.contains(&kind) {
        true => Ok(()),
        false => Err(Error::invalid("volume type", format!("\"{kind}\": {}", KINDS.join(", ")))),
    }
}

/// One volume.
pub async fn get(
    world: &World,
    pool: &str,
    project: &str,
    kind: &str,
    name: &str,
) -> Result<StorageVolume> {
    check_kind(kind)?;
    let all = list(world, pool, Some(project)).await?;
    let found = all.into_iter().find(|volume| volume.r#type == kind && volume.name == name);
    found.ok_or_else(|| Error::not_found("storage volume", name))
}

/// Images that are unpacked in a pool, in each project that has them.
async fn image_volumes(
    world: &World,
    pool: &str,
    project: Option<&str>,
) -> Result<Vec<StorageVolume>> {
    let open = world.pools.open(world, pool).await?;
    let ids = blocking("list volumes", move || open.list()).await?;
    let (images, shared) = world
        .store
        .read(|db| Ok::<_, Error>((images::all(db)?, lease::shared(db)?.contains(pool))))?;
    let location = if shared { String::new() } else { world.location() };
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|id| id.kind == VolumeKind::Image) {
        let same = images.iter().filter(|image| image.fingerprint == id.name);
        for image in same.filter(|image| project.is_none_or(|name| name == image.project)) {
            found.push(StorageVolume {
                name: id.name.clone(),
                r#type: String::from("image"),
                content_type: String::from("filesystem"),
                location: location.clone(),
                project: image.project.clone(),
                created_at: image.uploaded_at.into(),
                pool: pool.to_owned(),
                ..StorageVolume::default()
            });
        }
    }
    Ok(found)
}

/// A volume as clients see it.
fn render(row: Volume, uses: &Uses) -> StorageVolume {
    let used_by = match row.kind.as_str() {
        "custom" => uses.of(&super::key_of(&row)).iter().map(User::url).collect(),
        _ => vec![url::instance(&row.project, &row.name)],
    };
    StorageVolume {
        used_by,
        name: row.name,
        description: row.description,
        r#type: row.kind,
        content_type: row.content,
        config: row.config.0,
        location: String::from("none"),
        project: row.project,
        created_at: row.created_at.into(),
        pool: row.pool,
    }
}
