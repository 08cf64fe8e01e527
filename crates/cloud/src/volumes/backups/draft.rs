//! What rows become of a backup's index, which anybody may have written: all of it is checked as a
//! request would be.

use images::backup::{Config, Index};
use options::Raw;
use store::Read;
use uuid::Uuid;
use wire::BackupVolumeSnapshot;

use super::super::{Key, config, create};
use crate::{
    Error, Result, World, backups,
    db::{
        instances::Made,
        pools::Pool,
        volume_snapshots::Snapshot,
        volumes::{self as rows, Volume},
    },
};

/// The rows of a backup as a volume that is called `key`, or as it was called where that has no name.
pub(super) fn of_backup(
    db: &Read<'_>,
    world: &World,
    key: Key,
    index: &Index,
) -> Result<(Volume, Vec<Snapshot>)> {
    let wrong = |why: &str| Error::invalid("backup", why);
    match index.r#type.as_str() {
        "custom" => {}
        other => return Err(wrong(&format!("it is one of a \"{other}\", not of a volume"))),
    }
    let pool = crate::storage::find(db, &key.pool)?;
    backups::check_form(index, &pool.driver)?;
    let config = index.config.as_ref();
    let given = config.and_then(|config| config.volume.as_ref());
    let (Some(config), Some(given)) = (config, given) else {
        return Err(wrong("its index does not say what the volume was"));
    };
    let key = if key.name.is_empty() { key.named(&index.name) } else { key };
    check_new(db, &key)?;
    let content = config::known(&given.content_type)?;
    let options = own(db, given.config.clone().into(), content, &pool)?;
    let volume = create::draft(world, &key, content, options, given.description.clone());
    let snapshots = snapshots(config, index, &volume, &pool)?;
    Ok((volume, snapshots))
}

/// Fails when there can be no volume of that name.
pub(super) fn check_new(db: &Read<'_>, key: &Key) -> Result<()> {
    options::names::check_volume(&key.name).map_err(|why| Error::invalid("volume name", why))?;
    match key.row(db)? {
        Some(_) => Err(Error::exists("storage volume", &key.name)),
        None => Ok(()),
    }
}

/// Options of the backup. What its server noted of it is not taken but its identity, unless that lives
/// on in another volume.
fn own(db: &Read<'_>, mut options: Raw, content: &str, pool: &Pool) -> Result<Raw> {
    const UUID: &str = "volatile.uuid";
    let uuid = options.get(UUID).and_then(|uuid| Uuid::parse_str(uuid).ok());
    options.retain(|key, _| !key.starts_with("volatile."));
    if content == "iso" {
        // Other servers note what the file says itself.
        options.remove("size");
    }
    config::fit(&mut options, &pool.driver);
    config::check(&options, content, pool)?;
    let uuid = uuid.map(|uuid| uuid.to_string());
    let others = rows::custom(db)?;
    let lives = |uuid: &String| others.iter().any(|row| row.config.get(UUID) == Some(uuid));
    let uuid = uuid.filter(|uuid| !lives(uuid)).unwrap_or_else(|| Uuid::new_v4().to_string());
    options.set(UUID, uuid);
    Ok(options)
}

fn snapshots(
    config: &Config,
    index: &Index,
    volume: &Volume,
    pool: &Pool,
) -> Result<Vec<Snapshot>> {
    let wrong = |why: String| Error::invalid("backup", why);
    let mut found: Vec<Snapshot> = Vec::new();
    if volume.content == "iso" && !index.snapshots.is_empty() {
        return Err(wrong(String::from("it is of an ISO, which has no snapshots, and has some")));
    }
    for name in &index.snapshots {
        options::names::check_snapshot(name).map_err(|why| Error::invalid("snapshot name", why))?;
        if found.iter().any(|other| other.name == *name) {
            return Err(wrong(format!("its index names snapshot \"{name}\" twice")));
        }
        let described = config.volume_snapshots.iter().find(|one| one.name == *name);
        let described = described
            .ok_or_else(|| wrong(format!("its index does not say what \"{name}\" was")))?;
        found.push(snapshot(described, volume, pool)?);
    }
    Ok(found)
}

fn snapshot(given: &BackupVolumeSnapshot, volume: &Volume, pool: &Pool) -> Result<Snapshot> {
    let mut options: Raw = given.config.clone().into();
    options.retain(|key, _| !key.starts_with("volatile."));
    config::fit(&mut options, &pool.driver);
    config::check(&options, &volume.content, pool)?;
    let known = given.created_at.utc();
    let created_at = if given.created_at.is_never() { clock::utc() } else { known };
    Ok(Snapshot {
        id: 0,
        volume_id: 0,
        name: given.name.clone(),
        description: given.description.clone(),
        config: options,
        created_at,
        expires_at: (!given.expires_at.is_never()).then(|| given.expires_at.utc()),
        scheduled: false,
        made: Made::Ready,
    })
}
