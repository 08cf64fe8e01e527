//! The rows of one volume: as they were recorded, or as well as can be said without.

use std::collections::BTreeMap;

use options::{Raw, device::Devices, instance::PowerState};
use store::Write;

use super::{
    merge::{OnDisk, Unknown},
    record::{Record, Recorded},
};
use crate::{
    Error, Result, World,
    db::{
        buckets,
        instance_snapshots::{self, Snapshot},
        instances::{self, Instance, Made},
        profiles, volume_snapshots,
        volumes::{self, Volume},
    },
    instances::volatile,
    storage::ids::{self, word},
};

/// The row that was recorded of a volume.
fn recorded<'a>(record: &'a Record, unknown: &Unknown) -> Option<&'a Volume> {
    record.volumes.iter().find(|row| unknown.is(row))
}

fn row_of(
    db: &mut Write<'_>,
    world: &World,
    record: &Record,
    unknown: &Unknown,
    volume: &OnDisk,
) -> Result<()> {
    let content = ids::content(volume.info.content);
    let bare = || Volume {
        id: 0,
        pool: String::new(),
        project: unknown.project.clone(),
        member: String::new(),
        kind: word(unknown.kind).to_owned(),
        name: unknown.name.clone(),
        content: content.to_owned(),
        description: String::new(),
        config: Raw::new(),
        created_at: volume.info.created.into(),
        made: Made::Ready,
    };
    let mut row = recorded(record, unknown).cloned().unwrap_or_else(bare);
    (row.pool, row.member) = (unknown.pool.clone(), world.me());
    row.made = Made::Ready;
    Ok(volumes::insert(db, &row)?)
}

pub(super) fn custom(
    db: &mut Write<'_>,
    world: &World,
    record: &Record,
    unknown: &Unknown,
    volume: &OnDisk,
) -> Result<()> {
    row_of(db, world, record, unknown, volume)?;
    let made = volumes::get(db, &unknown.pool, &unknown.project, &unknown.name)?
        .ok_or_else(|| Error::not_found("storage volume", &unknown.name))?;
    let old = recorded(record, unknown).map(|row| row.id);
    for name in &volume.snapshots {
        let kept = record
            .volume_snapshots
            .iter()
            .find(|snapshot| Some(snapshot.volume_id) == old && snapshot.name == *name)
            .cloned();
        let mut snapshot = kept.unwrap_or_else(|| volume_snapshots::Snapshot {
            id: 0,
            volume_id: made.id,
            name: name.clone(),
            description: String::new(),
            config: made.config.clone(),
            created_at: made.created_at,
            expires_at: None,
            scheduled: false,
            made: Made::Ready,
        });
        (snapshot.volume_id, snapshot.made) = (made.id, Made::Ready);
        volume_snapshots::insert(db, &snapshot)?;
    }
    Ok(())
}

pub(super) fn instance(
    db: &mut Write<'_>,
    world: &World,
    record: &Record,
    unknown: &Unknown,
    volume: &OnDisk,
) -> Result<()> {
    let is = |recorded: &&Recorded| {
        recorded.instance.project == unknown.project && recorded.instance.name == unknown.name
    };
    let recorded = record.instances.iter().find(is);
    let mut row = match recorded {
        Some(recorded) => recorded.instance.clone(),
        None => unrecorded(world, unknown, volume),
    };
    row.member = world.me();
    row.made = Made::Ready;
    volatile::set_power(&mut row.config, PowerState::Stopped);
    let home = crate::profiles::home(db, &row.project)?;
    row.profiles.retain(|name| matches!(profiles::get(db, &home, name), Ok(Some(_))));
    instances::insert(db, &row, &home)?;
    row_of(db, world, record, unknown, volume)?;
    let made = instances::get(db, &row.project, &row.name)?
        .ok_or_else(|| Error::not_found("instance", &row.name))?;
    for name in &volume.snapshots {
        let kept = recorded.and_then(|recorded| {
            recorded.snapshots.iter().find(|snapshot| snapshot.name == *name).cloned()
        });
        let mut snapshot = kept.unwrap_or_else(|| Snapshot {
            id: 0,
            instance_id: made.id,
            name: name.clone(),
            description: row.description.clone(),
            architecture: row.architecture.clone(),
            config: row.config.clone(),
            devices: row.devices.clone(),
            profiles: row.profiles.clone(),
            ephemeral: row.ephemeral,
            stateful: false,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: None,
            scheduled: false,
            made: Made::Ready,
        });
        (snapshot.instance_id, snapshot.made) = (made.id, Made::Ready);
        instance_snapshots::insert(db, &snapshot)?;
    }
    Ok(())
}

/// What can be said of an instance that no record names: it was made a moment before the end.
fn unrecorded(world: &World, unknown: &Unknown, volume: &OnDisk) -> Instance {
    let mut config = Raw::new();
    volatile::complete(&mut config, &BTreeMap::new());
    let root = [("type", "disk"), ("path", "/"), ("pool", unknown.pool.as_str())];
    let root: BTreeMap<String, String> =
        root.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let mut devices = Devices::default();
    devices.0.insert(String::from("root"), root.into());
    Instance {
        stateful: false,
        id: 0,
        project: unknown.project.clone(),
        name: unknown.name.clone(),
        kind: word(unknown.kind).to_owned(),
        architecture: world.host.architecture.clone(),
        member: world.me(),
        description: String::from("recovered without its options"),
        config,
        devices,
        profiles: vec![crate::profiles::DEFAULT.to_owned()],
        ephemeral: false,
        created_at: volume.info.created.into(),
        last_used_at: chrono::DateTime::UNIX_EPOCH,
        made: Made::Ready,
    }
}

pub(super) fn bucket(
    db: &mut Write<'_>,
    world: &World,
    record: &Record,
    unknown: &Unknown,
    volume: &OnDisk,
) -> Result<()> {
    let recorded = record.buckets.iter().find(|(row, _)| row.name == unknown.name);
    let bare = || buckets::Bucket {
        id: 0,
        pool: String::new(),
        project: unknown.project.clone(),
        member: String::new(),
        name: unknown.name.clone(),
        description: String::new(),
        config: Raw::new(),
        created_at: volume.info.created.into(),
        made: Made::Ready,
    };
    let mut row = recorded.map_or_else(bare, |(row, _)| row.clone());
    (row.pool, row.member) = (unknown.pool.clone(), world.me());
    row.made = Made::Ready;
    buckets::insert(db, &row)?;
    let made = buckets::get(db, &row.member, &row.name)?
        .ok_or_else(|| Error::not_found("storage bucket", &row.name))?;
    for key in recorded.iter().flat_map(|(_, keys)| keys) {
        if buckets::key_of_access(db, &key.access)?.is_none() {
            buckets::insert_key(db, &buckets::Key { bucket_id: made.id, ..key.clone() })?;
        }
    }
    Ok(())
}
