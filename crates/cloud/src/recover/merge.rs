//! Rows for what is in a pool and not in the database.

use std::collections::BTreeMap;

use options::{Raw, device::Devices, instance::PowerState};
use storage::{VolumeId, VolumeInfo, VolumeKind};
use store::{Read, Write};

use super::record::{Record, Recorded};
use crate::{
    Error, Result, World,
    db::{
        buckets,
        instance_snapshots::{self, Snapshot},
        instances::{self, Instance, Made},
        networks,
        pools::{self, Pool},
        profiles::{self, Profile},
        projects, volume_snapshots,
        volumes::{self, Volume},
    },
    instances::volatile,
    names,
};

/// A volume as it is in a pool.
pub(super) struct OnDisk {
    pub(super) id: VolumeId,
    pub(super) info: VolumeInfo,
    pub(super) snapshots: Vec<String>,
}

/// A volume that the database does not have.
#[derive(Clone, Debug)]
pub struct Unknown {
    /// Its pool.
    pub pool: String,
    /// Its project.
    pub project: String,
    /// What it is for.
    pub kind: VolumeKind,
    /// Its name.
    pub name: String,
    /// How many snapshots it has.
    pub snapshots: usize,
    id: VolumeId,
}

impl Unknown {
    /// What it is for, as the API writes it.
    pub fn kind_word(&self) -> &'static str {
        word(self.kind)
    }
}

/// Which of the volumes the database does not have, and what is in the way of having them.
pub(super) fn unknown(
    db: &Read<'_>,
    pool: &Pool,
    on_disk: &[OnDisk],
) -> Result<(Vec<Unknown>, Vec<String>)> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let rows = volumes::of_pool(db, &pool.name)?;
    let buckets = buckets::all(db)?;
    for volume in on_disk.iter().filter(|volume| volume.id.kind != VolumeKind::Image) {
        let (project, name) = whose(&volume.id);
        let (kind, has) =
            (volume.id.kind, |row: &Volume| row.project == project && row.name == name);
        let known = match kind {
            VolumeKind::Bucket => {
                buckets.iter().any(|row| row.pool == pool.name && row.name == name)
            }
            _ => rows.iter().any(|row| row.kind == word(kind) && has(row)),
        };
        if known {
            continue;
        }
        let taken = match kind {
            VolumeKind::Bucket => buckets.iter().any(|row| row.name == name),
            VolumeKind::Container => instances::get(db, &project, &name)?.is_some(),
            _ => false,
        };
        if taken {
            problems.push(format!(
                "{} \"{name}\" of project \"{project}\" in pool \"{}\": there is another of that name: rename it first",
                word(kind), pool.name
            ));
            continue;
        }
        if kind == VolumeKind::VirtualMachine {
            problems.push(format!("virtual machine \"{name}\": not supported by this server"));
            continue;
        }
        let (pool, snapshots) = (pool.name.clone(), volume.snapshots.len());
        found.push(Unknown { pool, project, kind, name, snapshots, id: volume.id.clone() });
    }
    Ok((found, problems))
}

/// The project and the name of a volume, which its name on disk has: see [`names::volume`] and
/// [`names::custom_volume`].
fn whose(id: &VolumeId) -> (String, String) {
    let split = match id.kind {
        VolumeKind::Custom => id.name.split_once('_'),
        _ => names::split_instance_id(&id.name),
    };
    let (project, name) = split.unwrap_or((names::DEFAULT_PROJECT, &id.name));
    (project.to_owned(), name.to_owned())
}

pub(super) fn word(kind: VolumeKind) -> &'static str {
    match kind {
        VolumeKind::Container => "container",
        VolumeKind::VirtualMachine => "virtual-machine",
        VolumeKind::Image => "image",
        VolumeKind::Custom => "custom",
        VolumeKind::Bucket => "bucket",
    }
}

/// Writes the rows of what is wanted, and of all it needs. What is there already stays as it is.
pub(super) fn write(
    db: &mut Write<'_>,
    world: &World,
    pool: &Pool,
    record: &Record,
    on_disk: &[OnDisk],
    wanted: &[Unknown],
    new: bool,
) -> Result<()> {
    surroundings(db, record, wanted, new)?;
    if pools::get(db, &pool.name)?.is_none() {
        pools::insert(db, &Pool { made: Made::Ready, ..pool.clone() })?;
        pools::set_made(db, &pool.name, Made::Ready)?;
    }
    for unknown in wanted {
        let Some(volume) = on_disk.iter().find(|volume| volume.id == unknown.id) else { continue };
        match unknown.kind {
            VolumeKind::Container => instance(db, world, record, unknown, volume)?,
            VolumeKind::Bucket => bucket(db, world, record, unknown, volume)?,
            _ => custom(db, world, record, unknown, volume)?,
        }
    }
    Ok(())
}

/// Projects, profiles and networks: all that are recorded where the database is `new`, else those that what
/// is recovered needs.
fn surroundings(db: &mut Write<'_>, record: &Record, wanted: &[Unknown], new: bool) -> Result<()> {
    for project in &record.projects {
        let needed = new || wanted.iter().any(|unknown| unknown.project == project.name);
        if needed && projects::get(db, &project.name)?.is_none() {
            projects::insert(db, &project.name, &project.description, &project.config)?;
        }
    }
    for unknown in wanted {
        if projects::get(db, &unknown.project)?.is_none() {
            projects::insert(db, &unknown.project, "", &Raw::new())?;
        }
    }
    let is_wanted = |row: &Instance| {
        let is = |unknown: &Unknown| unknown.project == row.project && unknown.name == row.name;
        wanted.iter().any(|unknown| unknown.kind == VolumeKind::Container && is(unknown))
    };
    let instances: Vec<&Instance> =
        record.instances.iter().map(|one| &one.instance).filter(|row| is_wanted(row)).collect();
    let mut devices: Vec<&Devices> = instances.iter().map(|row| &row.devices).collect();
    for profile in &record.profiles {
        let needed = new || instances.iter().any(|row| row.profiles.contains(&profile.name));
        if needed && bring_profile(db, profile)? {
            devices.push(&profile.devices);
        }
    }
    for network in &record.networks {
        let names = |devices: &&Devices| {
            devices.0.values().any(|device| device.get("network") == Some(&network.name))
        };
        let there = networks::get(db, &network.project, &network.name)?.is_some();
        if !there && (new || devices.iter().any(names)) {
            networks::insert(db, network)?;
        }
    }
    Ok(())
}

/// Whether it is there now and was not, or only as every new server has it.
fn bring_profile(db: &mut Write<'_>, profile: &Profile) -> Result<bool> {
    let Profile { project, name, description, config, devices, .. } = profile;
    match profiles::get(db, project, name)? {
        None if projects::get(db, project)?.is_none() => return Ok(false),
        None => profiles::insert(db, project, name, description, config, devices)?,
        Some(bare) if bare.config.is_empty() && bare.devices.0.is_empty() => {
            profiles::update(db, bare.id, description, config, devices)?;
        }
        Some(_) => return Ok(false),
    }
    Ok(true)
}

fn row_of(
    db: &mut Write<'_>,
    world: &World,
    record: &Record,
    unknown: &Unknown,
    volume: &OnDisk,
) -> Result<()> {
    let kind = word(unknown.kind);
    let is = |row: &&Volume| {
        row.kind == kind && row.project == unknown.project && row.name == unknown.name
    };
    let content = match volume.info.content {
        storage::Content::Filesystem => "filesystem",
        storage::Content::Block => "block",
    };
    let bare = || Volume {
        id: 0,
        pool: String::new(),
        project: unknown.project.clone(),
        member: String::new(),
        kind: kind.to_owned(),
        name: unknown.name.clone(),
        content: content.to_owned(),
        description: String::new(),
        config: Raw::new(),
        created_at: volume.info.created.into(),
        made: Made::Ready,
    };
    let mut row = record.volumes.iter().find(is).cloned().unwrap_or_else(bare);
    (row.pool, row.member) = (unknown.pool.clone(), world.me.clone());
    row.made = Made::Ready;
    Ok(volumes::insert(db, &row)?)
}

fn custom(
    db: &mut Write<'_>,
    world: &World,
    record: &Record,
    unknown: &Unknown,
    volume: &OnDisk,
) -> Result<()> {
    row_of(db, world, record, unknown, volume)?;
    let made = volumes::get(db, &unknown.pool, &unknown.project, &unknown.name)?
        .ok_or_else(|| Error::not_found("storage volume", &unknown.name))?;
    let is = |row: &&Volume| {
        row.kind == made.kind && row.project == unknown.project && row.name == unknown.name
    };
    let old = record.volumes.iter().find(is).map(|row| row.id);
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
            made: Made::Ready,
        });
        (snapshot.volume_id, snapshot.made) = (made.id, Made::Ready);
        volume_snapshots::insert(db, &snapshot)?;
    }
    Ok(())
}

fn instance(
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
    row.member = world.me.clone();
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
        id: 0,
        project: unknown.project.clone(),
        name: unknown.name.clone(),
        kind: String::from("container"),
        architecture: world.host.architecture.clone(),
        member: world.me.clone(),
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

fn bucket(
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
    (row.pool, row.member) = (unknown.pool.clone(), world.me.clone());
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
