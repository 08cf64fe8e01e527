//! Who uses which volume: what the devices of instances and profiles name.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use options::{Raw, device::Devices};
use store::Read;

use super::Key;
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::{
        instances,
        profiles::{self, Profile},
        projects,
        volumes::Volume,
    },
    depots, expand,
    instances::guests::{Guest, Phase},
    url,
};

/// Somebody who names a volume in a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// An instance, by a device of its own or of a profile.
    Instance {
        /// Its project.
        project: String,
        /// Its name.
        name: String,
    },
    /// A profile.
    Profile {
        /// Its project.
        project: String,
        /// Its name.
        name: String,
    },
    /// A member, which keeps images or backups on it.
    Daemon {
        /// Its name.
        member: String,
        /// The option that names the volume.
        key: &'static str,
    },
}

impl User {
    pub(crate) fn url(&self) -> String {
        match self {
            User::Instance { project, name } => url::instance(project, name),
            User::Profile { project, name } => url::of("profiles", name, project),
            User::Daemon { .. } => String::from("/1.0"),
        }
    }

    fn words(&self) -> String {
        match self {
            User::Instance { project, name } => format!("instance {project}/{name}"),
            User::Profile { project, name } => format!("profile {project}/{name}"),
            User::Daemon { member, key } => format!("the daemon of {member} ({key})"),
        }
    }
}

/// All volumes that somebody names, and who; and of snapshots of volumes.
#[derive(Default)]
pub(crate) struct Uses {
    volumes: BTreeMap<Key, Vec<User>>,
    snapshots: BTreeMap<(Key, String), Vec<User>>,
}

impl Uses {
    /// Looks at every instance and profile, and at what daemons keep images and backups on.
    pub(crate) fn read(db: &Read<'_>) -> Result<Uses> {
        let homes: HashMap<String, (String, String)> = projects::all(db)?
            .into_iter()
            .map(|row| {
                let home = |feature| row.home_of(feature).to_owned();
                let homes = (home("features.profiles"), home("features.storage.volumes"));
                (row.name, homes)
            })
            .collect();
        let all = profiles::all(db)?;
        let mut uses = Uses::default();
        for row in instances::all(db)? {
            let Some((home, volumes)) = homes.get(&row.project) else { continue };
            let is_its =
                |name: &&String, one: &&Profile| one.name == **name && one.project == *home;
            let own = row.profiles.iter();
            let own = own.filter_map(|name| all.iter().find(|one| is_its(&name, one)));
            let devices = expand::lay(own, &row).devices;
            let user = User::Instance { project: row.project, name: row.name };
            uses.add(volumes, &devices, &user);
        }
        for row in &all {
            let Some((_, volumes)) = homes.get(&row.project) else { continue };
            let user = User::Profile { project: row.project.clone(), name: row.name.clone() };
            uses.add(volumes, &row.devices, &user);
        }
        for (member, key, volume) in depots::of_members(db)? {
            uses.volumes.entry(volume).or_default().push(User::Daemon { member, key });
        }
        Ok(uses)
    }

    fn add(&mut self, home: &str, devices: &Devices, user: &User) {
        for device in devices.0.values() {
            let Some((pool, name)) = named_by(device) else { continue };
            let key = Key { pool: pool.into(), project: home.into(), name: name.into() };
            if let Some(snapshot) = device.get("source.snapshot") {
                let of = (key.clone(), snapshot.to_owned());
                self.snapshots.entry(of).or_default().push(user.clone());
            }
            let users = self.volumes.entry(key).or_default();
            if !users.contains(user) {
                users.push(user.clone());
            }
        }
    }

    /// Who names a volume: instances, then profiles.
    pub(crate) fn of(&self, volume: &Key) -> &[User] {
        self.volumes.get(volume).map_or(&[], Vec::as_slice)
    }

    /// Fails when somebody names a snapshot of it.
    pub(crate) fn check_snapshot_free(&self, volume: &Key, snapshot: &str) -> Result<()> {
        let Some(users) = self.snapshots.get(&(volume.clone(), snapshot.to_owned())) else {
            return Ok(());
        };
        let (what, name) = ("storage volume snapshot", format!("{}/{snapshot}", volume.name));
        let by: Vec<String> = users.iter().map(User::words).collect();
        Err(Error::InUse { what, name, by: by.join(", ") })
    }

    /// Fails when somebody names it.
    pub(crate) fn check_free(&self, volume: &Key) -> Result<()> {
        let users = self.of(volume);
        if users.is_empty() {
            return Ok(());
        }
        Err(in_use(volume, users.iter().map(User::words).collect()))
    }

    /// Fails when an instance or a profile names it.
    pub(crate) fn check_not_named(&self, volume: &Key) -> Result<()> {
        let named = |user: &&User| !matches!(user, User::Daemon { .. });
        let by: Vec<String> = self.of(volume).iter().filter(named).map(User::words).collect();
        if by.is_empty() { Ok(()) } else { Err(in_use(volume, by)) }
    }
}

/// Fails when a daemon keeps images or backups on it.
pub(crate) fn check_no_depot(db: &Read<'_>, volume: &Key) -> Result<()> {
    let all = depots::of_members(db)?.into_iter().filter(|(_, _, of)| of == volume);
    let words = |(member, key, _)| User::Daemon { member, key }.words();
    let by: Vec<String> = all.map(words).collect();
    if by.is_empty() { Ok(()) } else { Err(in_use(volume, by)) }
}

/// Pool and name of the volume that a device names.
pub(crate) fn named_by(device: &Raw) -> Option<(&str, &str)> {
    let (pool, source) = (device.get("pool")?, device.get("source")?);
    let name = source.split_once('/').map_or(source, |(name, _)| name);
    (device.get("type") == Some("disk")).then_some((pool, name))
}

pub(super) fn in_use(volume: &Key, by: Vec<String>) -> Error {
    Error::InUse { what: "storage volume", name: volume.name.clone(), by: by.join(", ") }
}

/// The instances that have a volume mounted: they name it and run, or they were started with it and
/// keep its mount until they stop, whatever their devices say now.
pub(super) async fn running(world: &World, volume: &Volume) -> Result<Vec<Guest>> {
    let key = super::key_of(volume);
    let uses = world.store.read(Uses::read)?;
    let named = uses.of(&key).iter().filter_map(|user| match user {
        User::Instance { project, name } => world.guests.get(project, name),
        User::Profile { .. } | User::Daemon { .. } => None,
    });
    let mut found: Vec<Guest> = named.filter(|guest| guest.phase() != Phase::Gone).collect();
    let folder = folder(world, &key).await?;
    for guest in world.guests.all() {
        let mut mounts = guest.spec().mounts.iter();
        let has = folder.as_ref().is_some_and(|at| mounts.any(|one| one.source.starts_with(at)));
        let name = (guest.project(), guest.name());
        let known = found.iter().any(|one| (one.project(), one.name()) == name);
        if has && !known && guest.phase() != Phase::Gone {
            found.push(guest);
        }
    }
    Ok(found)
}

/// The same by project and name.
pub(super) async fn writers(world: &World, volume: &Volume) -> Result<Vec<(String, String)>> {
    let guests = running(world, volume).await?;
    Ok(guests.iter().map(|guest| (guest.project().into(), guest.name().into())).collect())
}

/// Fails when an instance has it mounted, or a daemon.
pub(super) async fn check_not_mounted(world: &World, volume: &Volume) -> Result<()> {
    world.store.read(|db| check_no_depot(db, &super::key_of(volume)))?;
    let guests = running(world, volume).await?;
    if guests.is_empty() {
        return Ok(());
    }
    let words = |guest: &Guest| {
        format!("instance {}/{}, which runs: stop it first", guest.project(), guest.name())
    };
    Err(in_use(&super::key_of(volume), guests.iter().map(words).collect()))
}

/// Where the pool keeps it; `None` where it does not have it.
async fn folder(world: &World, key: &Key) -> Result<Option<PathBuf>> {
    let (pool, id) = (world.pools.open(world, &key.pool).await?, key.on_disk()?);
    blocking("find volume", move || match pool.folder(&id) {
        Err(storage::Error::NotFound { .. }) => Ok(None),
        found => found.map(Some),
    })
    .await
}
