//! Rows for what is in a pool and not in the database.

use options::{Raw, device::Devices};
use storage::{VolumeId, VolumeInfo, VolumeKind};
use store::{Read, Write};

use super::{record::Record, rows};
use crate::{
    Result, World,
    db::{
        buckets::{self, Bucket},
        instances::{self, Instance, Made},
        networks,
        pools::{self, Pool},
        profiles::{self, Profile},
        projects,
        volumes::{self, Volume},
    },
    storage::ids::{whose, word},
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

    /// What a task that makes, moves or deletes it claims.
    pub(super) fn claim(&self) -> tasks::Claim {
        tasks::Claim::alone(match self.kind {
            VolumeKind::Bucket => crate::storage::buckets::lock_name(&self.name),
            VolumeKind::Custom => self.key().claim(),
            _ => crate::instances::lock_name(&self.project, &self.name),
        })
    }

    /// A custom volume's key.
    fn key(&self) -> crate::volumes::Key {
        let (pool, project, name) = (self.pool.clone(), self.project.clone(), self.name.clone());
        crate::volumes::Key { pool, project, name }
    }

    /// Whether the row is of this volume, in whatever pool.
    pub(super) fn is(&self, row: &Volume) -> bool {
        row.kind == word(self.kind) && row.project == self.project && row.name == self.name
    }
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unknown { pool, project, name, .. } = self;
        write!(f, "{} \"{name}\" of project \"{project}\" in pool \"{pool}\"", self.kind_word())
    }
}

/// Which of the volumes the database does not have, and what is in the way of having them.
pub(super) fn unknown(
    db: &Read<'_>,
    pool: &Pool,
    on_disk: &[OnDisk],
) -> Result<(Vec<Unknown>, Vec<String>)> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let known = Known { volumes: volumes::of_pool(db, &pool.name)?, buckets: buckets::all(db)? };
    for volume in on_disk.iter().filter(|volume| volume.id.kind != VolumeKind::Image) {
        let Some((project, name)) = whose(&volume.id) else {
            problems.push(format!(
                "\"{}\" in pool \"{}\": left by a change that was broken off",
                volume.id, pool.name
            ));
            continue;
        };
        let (kind, snapshots, id) = (volume.id.kind, volume.snapshots.len(), volume.id.clone());
        let one = Unknown { pool: pool.name.clone(), project, kind, name, snapshots, id };
        if known.has(&one) {
            continue;
        }
        match hindrance(db, &known, &one)? {
            None => found.push(one),
            Some(why) => problems.push(format!("{one}: {why}")),
        }
    }
    Ok((found, problems))
}

/// What the database has.
struct Known {
    volumes: Vec<Volume>,
    buckets: Vec<Bucket>,
}

impl Known {
    fn has(&self, one: &Unknown) -> bool {
        match one.kind {
            VolumeKind::Bucket => {
                self.buckets.iter().any(|row| row.pool == one.pool && row.name == one.name)
            }
            _ => self.volumes.iter().any(|row| one.is(row)),
        }
    }
}

fn is_instance(kind: VolumeKind) -> bool {
    matches!(kind, VolumeKind::Container | VolumeKind::VirtualMachine)
}

/// Why a volume cannot be had, if so.
fn hindrance(db: &Read<'_>, known: &Known, one: &Unknown) -> Result<Option<&'static str>> {
    let taken = match one.kind {
        VolumeKind::Bucket => known.buckets.iter().any(|row| row.name == one.name),
        VolumeKind::Container | VolumeKind::VirtualMachine => {
            instances::get(db, &one.project, &one.name)?.is_some()
        }
        VolumeKind::Custom | VolumeKind::Image => false,
    };
    Ok(taken.then_some("there is another of that name: rename it first"))
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
            VolumeKind::Container | VolumeKind::VirtualMachine => {
                rows::instance(db, world, record, unknown, volume)?;
            }
            VolumeKind::Bucket => rows::bucket(db, world, record, unknown, volume)?,
            _ => rows::custom(db, world, record, unknown, volume)?,
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
        wanted.iter().any(|unknown| is_instance(unknown.kind) && is(unknown))
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
