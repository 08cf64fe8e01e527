//! Volumes as disks of instances: which are named, whether they can be had, and how they are mounted.
//!
//! Files keep on disk the owners they have inside: root's are root's. An unprivileged instance gets a
//! mount that maps them, so instances with different maps, and privileged ones, share a volume and see
//! the same owners. `security.unmapped` leaves the host's ids as they are. A volume is claimed, shared,
//! by whoever starts with it or plugs it, until the instance is known to run: so nobody restores it
//! or renames it meanwhile.

use std::collections::BTreeMap;

use options::device::{Device, Devices, Disk, DiskSource, MountFlag};
use spec::{Mount, MountFlags};
use storage::Attached;
use store::Read;
use tasks::Claim;

use super::{Key, users};
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::volume_snapshots as snapshots,
    instances::Kind,
    projects::rules::{self, Above},
};

/// A disk that an instance is to have mounted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Its mount; of a volume it is not known yet from where.
    pub(crate) mount: Mount,
    /// The pool and the volume behind it, and the path within it; `None` is a path of the host.
    volume: Option<(String, String, Option<String>)>,
    /// The snapshot of the volume that is meant.
    snapshot: Option<String>,
    /// How many threads serve a machine a folder.
    pub(crate) threads: u32,
}

impl Plan {
    /// What a disk device asks for; `None` where nothing is mounted for it, such as the root.
    pub(crate) fn of(disk: &Disk) -> Option<Plan> {
        let (source, volume) = match disk.origin()? {
            DiskSource::Root { .. } | DiskSource::Drive(_) => return None,
            DiskSource::Host(path) => (path.into(), None),
            DiskSource::Volume { pool, volume, path } => {
                let path = path.map(|path| path.trim_matches('/').to_owned());
                let path = path.filter(|path| !path.is_empty());
                (Default::default(), Some((pool.to_owned(), volume.to_owned(), path)))
            }
        };
        let mount = Mount {
            source,
            beneath: None,
            target: disk.path.as_ref()?.as_path().to_owned(),
            readonly: disk.readonly
                || disk.source_snapshot.is_some()
                || disk.flags().contains(&MountFlag::ReadOnly),
            shift: disk.shift,
            follow: disk.follows(),
            flags: flags(disk),
            recursive: disk.recursive,
            optional: !disk.required,
        };
        let threads = u32::try_from(disk.io_threads.get()).unwrap_or_default();
        Some(Plan { mount, volume, snapshot: disk.source_snapshot.clone(), threads })
    }

    /// Lets go of the volume, as [`release`] does.
    pub(crate) async fn release(&self, world: &World, project: &str) {
        if let Some((pool, volume, _)) = &self.volume {
            let_go(world, project, (pool, volume), self.snapshot.clone()).await;
        }
    }

    /// The mount of a disk of an instance in `project`.
    pub(crate) async fn resolve(&self, world: &World, project: &str) -> Result<Mount> {
        let Some((pool, name, path)) = &self.volume else { return self.of_host(world, project) };
        let found = world.store.read(|db| {
            let key = Key::of(db, pool, project, name)?;
            let row = key.find(db)?;
            Ok::<_, Error>((key, row))
        });
        let (key, row) = match found {
            // The runtime leaves out what is optional and not there.
            Err(Error::NotFound { .. }) if self.mount.optional => return Ok(self.absent(name)),
            found => found?,
        };
        check_files(&row.content, name)?;
        super::keeper::take(world, &key, &row).await?;
        let options = super::typed(&row.config)?;
        let (open, id) = (world.pools.open(world, pool).await?, key.on_disk()?);
        let snapshot = self.snapshot.clone();
        let attach = move || match (&snapshot, open.snapshots()) {
            (None, _) => open.attach(&id),
            (Some(name), Some(snapshots)) => snapshots.attach(&id, name),
            (Some(_), None) => Err(storage::Error::Unsupported { what: "snapshot", volume: id }),
        };
        match blocking("attach volume", attach).await? {
            Attached::Path(folder) => {
                let shift = !options.security_unmapped;
                let (source, beneath) = match path {
                    None => (folder, None),
                    // What is in a volume its instances change as they like.
                    Some(path) => (folder.join(path), Some(folder)),
                };
                Ok(Mount { source, beneath, shift, recursive: false, ..self.mount.clone() })
            }
            Attached::Overlay { .. } | Attached::Block(_) => {
                Err(Error::Unsupported("a volume of this kind as a folder of a container"))
            }
        }
    }

    /// The mount of a path of the host. In a folder that a project was given its users change what they like: no
    /// link leads out of it.
    fn of_host(&self, world: &World, project: &str) -> Result<Mount> {
        let mut mount = self.mount.clone();
        let restricted = world.store.read(|db| rules::restricted(db, project))?;
        let path = mount.source.to_string_lossy();
        if let Some(Above::Folder(folder)) = restricted.map(|of| rules::allowed_above(&of, &path)) {
            mount.beneath = Some(folder).filter(|folder| *folder != mount.source);
        }
        Ok(mount)
    }

    /// A mount from a place where nothing can be.
    fn absent(&self, name: &str) -> Mount {
        let source = format!("/proc/self/no-such-volume/{name}").into();
        Mount { source, ..self.mount.clone() }
    }
}

/// What the options say of its mount.
fn flags(disk: &Disk) -> MountFlags {
    let has = |flag| disk.flags().contains(&flag);
    MountFlags {
        nosuid: has(MountFlag::NoSuid),
        nodev: has(MountFlag::NoDev),
        noexec: has(MountFlag::NoExec),
        nosymfollow: has(MountFlag::NoSymFollow),
        noatime: has(MountFlag::NoAtime),
        nodiratime: has(MountFlag::NoDirAtime),
    }
}

/// Lets go of a volume that an instance no longer has, where its pool is one that members share: another of them may want it.
/// In others it stays attached.
pub(crate) async fn release(world: &World, project: &str, disk: &Disk) {
    if let Some(DiskSource::Volume { pool, volume, .. }) = disk.origin() {
        let_go(world, project, (pool, volume), disk.source_snapshot.clone()).await;
    }
}

/// Attaches it once more that an earlier daemon attached, where [`release`] lets go of it.
pub(crate) async fn again(world: &World, project: &str, disk: &Disk) {
    let Some(DiskSource::Volume { pool, volume, .. }) = disk.origin() else { return };
    let Ok(Some(key)) = shared(world, project, (pool, volume)) else { return };
    let snapshot = disk.source_snapshot.clone();
    let attached = async {
        let (open, id) = (world.pools.open(world, pool).await?, key.on_disk()?);
        let attach = move || match (&snapshot, open.snapshots()) {
            (Some(name), Some(snapshots)) => snapshots.attach(&id, name),
            _ => open.attach(&id),
        };
        blocking("attach volume", attach).await
    };
    if let Err(error) = attached.await {
        tracing::warn!(volume, error = %tasks::chain(&error), "volume");
    }
}

/// A volume, if it is in a pool that members share.
fn shared(world: &World, project: &str, (pool, volume): (&str, &str)) -> Result<Option<Key>> {
    world.store.read(|db| {
        let shared = crate::storage::is_shared(&crate::storage::find(db, pool)?.driver);
        let key = Key::of(db, pool, project, volume)?;
        Ok::<_, Error>(shared.then_some(key))
    })
}

async fn let_go(
    world: &World,
    project: &str,
    (pool, volume): (&str, &str),
    snapshot: Option<String>,
) {
    let Ok(Some(key)) = shared(world, project, (pool, volume)) else { return };
    let released = async {
        let (open, id) = (world.pools.open(world, pool).await?, key.on_disk()?);
        let detach = move || match (&snapshot, open.snapshots()) {
            (Some(name), Some(snapshots)) => snapshots.detach(&id, name),
            _ => open.detach(&id),
        };
        blocking("detach volume", detach).await
    };
    if let Err(error) = released.await {
        tracing::warn!(volume, error = %tasks::chain(&error), "it stays attached");
    }
}

/// Disks other than the root with their devices, in the order of their paths, so that one may lie in
/// another.
pub(crate) fn plans(devices: &BTreeMap<String, Device>) -> Vec<(&str, Plan)> {
    let mut plans: Vec<(&str, Plan)> = devices
        .iter()
        .filter_map(|(name, device)| Some((name.as_str(), Plan::of(device.disk()?)?)))
        .collect();
    plans.sort_by(|a, b| a.1.mount.target.cmp(&b.1.mount.target));
    plans
}

/// The mounts that an instance of `project` starts with.
pub(crate) async fn mounts(
    world: &World,
    project: &str,
    devices: &BTreeMap<String, Device>,
) -> Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    for (device, plan) in plans(devices) {
        mounts
            .push(plan.resolve(world, project).await.map_err(|source| of_device(device, source))?);
    }
    Ok(mounts)
}

/// Names the device in an error about it.
fn of_device(device: &str, source: Error) -> Error {
    let (device, source) = (device.to_owned(), Box::new(source));
    Error::Device { device, verb: "added", source }
}

/// Fails when a device names a volume that is not there, or that a container cannot have.
pub(crate) fn check(
    db: &Read<'_>,
    (project, kind): (&str, Kind),
    devices: &BTreeMap<String, Device>,
) -> Result<()> {
    for (name, device) in devices {
        let Some(disk) = device.disk() else { continue };
        if kind == Kind::Container && disk.rates() != (None, None) {
            let why = "limits.max, limits.read and limits.write: a container cannot have them yet, \
                       only a virtual machine";
            return Err(of_device(name, Error::invalid("disk", why)));
        }
        if let Some(DiskSource::Volume { pool, volume, .. }) = disk.origin() {
            check_one(db, (project, kind), (pool, volume), disk)
                .map_err(|source| of_device(name, source))?;
        }
    }
    Ok(())
}

/// Fails when devices name a volume that a daemon keeps images or backups on.
pub(crate) fn check_no_depots(db: &Read<'_>, project: &str, devices: &Devices) -> Result<()> {
    let home = super::home(db, project)?;
    for (pool, name) in devices.0.values().filter_map(users::named_by) {
        let key = Key { pool: pool.into(), project: home.clone(), name: name.into() };
        users::check_no_depot(db, &key)?;
    }
    Ok(())
}

fn check_one(
    db: &Read<'_>,
    (project, kind): (&str, Kind),
    (pool, volume): (&str, &str),
    disk: &Disk,
) -> Result<()> {
    let key = Key::of(db, pool, project, volume)?;
    let row = match key.find(db) {
        Err(Error::NotFound { .. }) if !disk.required => return Ok(()),
        found => found?,
    };
    users::check_no_depot(db, &key)?;
    if kind == Kind::VirtualMachine && row.content != "filesystem" {
        return match disk.path {
            None => Ok(()),
            Some(_) => {
                Err(Error::invalid("path", "a volume that is a disk is not mounted: leave it out"))
            }
        };
    }
    check_files(&row.content, volume)?;
    if let Some(name) = &disk.source_snapshot
        && snapshots::get(db, row.id, name)?.is_none()
        && disk.required
    {
        return Err(Error::not_found("storage volume snapshot", name));
    }
    match disk.path {
        Some(_) => Ok(()),
        None => Err(Error::invalid("path", "it is missing: where the volume is to be mounted")),
    }
}

/// A container has no use for a disk.
fn check_files(content: &str, name: &str) -> Result<()> {
    if content == "filesystem" {
        return Ok(());
    }
    let why = format!(
        "\"{name}\" is of content type {content}: only a virtual machine can have it, a container \
         takes one of content type filesystem"
    );
    Err(Error::invalid("storage volume", why))
}

/// What claims the volumes that devices of an instance of `project` name.
pub(crate) fn claims(db: &Read<'_>, project: &str, devices: &Devices) -> Result<Vec<String>> {
    let home = super::home(db, project)?;
    let named = devices.0.values().filter_map(users::named_by);
    let claim = |(pool, name): (&str, &str)| {
        Key { pool: pool.into(), project: home.clone(), name: name.into() }.claim()
    };
    let mut claims: Vec<String> = named.map(claim).collect();
    claims.sort();
    claims.dedup();
    Ok(claims)
}

/// Shares the volumes of an instance that is about to start; the guard is kept until it is held.
pub(crate) async fn share(
    world: &World,
    project: &str,
    devices: &Devices,
) -> Result<Option<tasks::Guard>> {
    let names = world.store.read(|db| claims(db, project, devices))?;
    if names.is_empty() {
        return Ok(None);
    }
    let claims: Vec<Claim> = names.into_iter().map(Claim::shared).collect();
    Ok(Some(world.locks().lock(&claims, "the start of an instance").await))
}
