//! Which volumes can be depots, and which are.

use options::{PoolVolume, Value};
use store::Read;

use super::{Depot, label, volume};
use crate::{
    Error, Result,
    db::{server as rows, volume_snapshots},
    volumes::{Key, Uses},
};

/// The volumes on which members keep something: the member's name, the option's key, the volume.
pub(crate) fn of_members(db: &Read<'_>) -> Result<Vec<(String, &'static str, Key)>> {
    let mut found = Vec::new();
    for depot in Depot::ALL {
        for (member, value) in rows::of_members(db, depot.key())? {
            if let Ok(named) = PoolVolume::parse(&value) {
                found.push((member, depot.key(), volume(&named)));
            }
        }
    }
    Ok(found)
}

/// Fails when a backup of a volume would be written to it.
pub(crate) fn check_backup(db: &Read<'_>, of: &Key) -> Result<()> {
    match super::chosen(db, Depot::Backups)?.filter(|volume| volume == of) {
        Some(_) => {
            let by = format!("the daemon ({}), which writes backups to it", Depot::Backups.key());
            Err(Error::InUse { what: "storage volume", name: of.name.clone(), by })
        }
        None => Ok(()),
    }
}

/// Fails when a volume cannot be a depot of this member.
pub(super) fn check(db: &Read<'_>, depot: Depot, volume: &Key) -> Result<()> {
    match unfit(db, volume)? {
        None => Ok(()),
        Some(why) => {
            let why = format!(
                "\"{}\": {why}; allowed is POOL/VOLUME: a custom volume of content type filesystem in the project \
                 default, on this member, that nobody uses and that has no snapshots",
                label(volume)
            );
            Err(Error::invalid(depot.key(), why))
        }
    }
}

/// What is wrong with it.
fn unfit(db: &Read<'_>, volume: &Key) -> Result<Option<String>> {
    let pool = match crate::storage::find(db, &volume.pool) {
        Err(Error::NotFound { .. }) => {
            return Ok(Some(format!("there is no storage pool \"{}\"", volume.pool)));
        }
        found => found?,
    };
    if crate::storage::is_shared(&pool.driver) {
        return Ok(Some(format!("members share the storage pool \"{}\"", volume.pool)));
    }
    let row = match volume.find(db) {
        Err(Error::NotFound { .. }) => {
            return Ok(Some(String::from("there is no such custom volume")));
        }
        found => found?,
    };
    let me = crate::cluster::own(db)?.name;
    if row.member != me {
        return Ok(Some(format!("it is on member \"{}\"", row.member)));
    }
    if row.content != "filesystem" {
        return Ok(Some(format!("it is of content type {}", row.content)));
    }
    if !volume_snapshots::of_volume(db, row.id)?.is_empty() {
        return Ok(Some(String::from("it has snapshots")));
    }
    match Uses::read(db)?.check_not_named(volume) {
        Err(error @ Error::InUse { .. }) => Ok(Some(error.to_string())),
        checked => checked.map(|()| None),
    }
}
