//! What the rows of a copy are: the source's, the request's over them, without what is one
//! instance's own.

use options::{Raw, device::Devices};
use store::Read;
use wire::InstancesPost;

use super::{Copy, From};
use crate::{
    Caller, Error, Result, World,
    db::{
        self,
        instance_snapshots::{self as snapshots, Snapshot},
        instances::{self as rows, Instance, Made},
    },
    expand,
    instances::{
        options::Typed,
        root::NewRoot,
        templates::{self, Trigger},
        volatile,
    },
    networks::port::name_links,
    projects::rules,
};

impl Copy {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        post: &InstancesPost,
    ) -> Result<Copy> {
        world.store.read(|db| {
            let from = from(db, project, post)?;
            let source = crate::instances::find(db, &from.project, &from.instance)?;
            let then = match &from.snapshot {
                Some(name) => {
                    let found = crate::instances::snapshots::find;
                    found(db, &from.project, &from.instance, name)?.1.instance(&source)
                }
                None => source.clone(),
            };
            let instance = draft(db, world, project, post, then)?;
            let typed = Typed::parse_whole(&expand::expand(db, &instance)?)?;
            crate::instances::check_devices(
                db,
                instance.kind(),
                (project, &instance.name),
                &typed,
            )?;
            rules::admit(db, &instance)?;
            let root = NewRoot::filled(db, instance.kind(), &typed)?;
            let only = post.source.instance_only || post.source.container_only;
            let snapshots = match from.snapshot.is_some() || only {
                true => Vec::new(),
                false => kept(db, &source, project, &root.pool)?,
            };
            Ok(Copy { caller: caller.clone(), from, instance, snapshots, root, start: post.start })
        })
    }
}

/// What is to be copied: `web` or `web/snap0`.
pub(super) fn from(db: &Read<'_>, project: &str, post: &InstancesPost) -> Result<From> {
    let source = &post.source;
    let (instance, snapshot) = match source.source.split_once('/') {
        Some((instance, snapshot)) => (instance, Some(snapshot.to_owned())),
        None => (source.source.as_str(), None),
    };
    if instance.is_empty() {
        return Err(Error::invalid("source", "the instance to copy is not named"));
    }
    let project = match source.project.as_str() {
        "" => project.to_owned(),
        given => given.to_owned(),
    };
    crate::instances::find(db, &project, instance)?;
    let pool = crate::instances::snapshots::pool_of(db, &project, instance)?;
    Ok(From { project, instance: instance.to_owned(), snapshot, pool })
}

/// The copy's row, as far as the request and the source say.
fn draft(
    db: &Read<'_>,
    world: &World,
    project: &str,
    post: &InstancesPost,
    then: Instance,
) -> Result<Instance> {
    let name = match post.name.as_str() {
        "" => crate::instances::launch::free_name(db, project)?,
        given => given.to_owned(),
    };
    options::names::check_instance(&name).map_err(|why| Error::invalid("instance name", why))?;
    if rows::get(db, project, &name)?.is_some() {
        return Err(Error::exists("instance", &name));
    }
    let profiles = post.profiles.clone().unwrap_or(then.profiles);
    crate::instances::check_profiles(db, &crate::profiles::home(db, project)?, &profiles)?;
    let mut config = common(&then.config);
    for (key, value) in &post.config {
        if !is_own(key) {
            config.set(key, value.clone());
        }
    }
    templates::defer(&mut config, Trigger::Copy);
    let mut devices = then.devices;
    devices.0.extend(db::devices_in(post.devices.clone()).0);
    let or = |given: &str, old: String| if given.is_empty() { old } else { given.to_owned() };
    Ok(Instance {
        id: 0,
        project: project.to_owned(),
        name,
        kind: then.kind,
        architecture: or(&post.architecture, then.architecture),
        member: world.me(),
        description: or(&post.description, then.description),
        config,
        devices,
        profiles,
        ephemeral: post.ephemeral,
        created_at: clock::utc(),
        last_used_at: chrono::DateTime::UNIX_EPOCH,
        made: Made::Creating,
        stateful: false,
    })
}

/// Options that a copy shares with its source: of what the server remembers only the image.
fn common(config: &Raw) -> Raw {
    let mut shared = config.clone();
    shared.retain(|key, _| !key.starts_with("volatile.") || key == "volatile.base_image");
    shared
}

/// What is one instance's own whoever says it; a hardware address may be asked for.
fn is_own(key: &str) -> bool {
    let Some(rest) = key.strip_prefix("volatile.") else { return false };
    ["uuid", "last_state.", "idmap.", "cloud-init.", "apply_"]
        .iter()
        .any(|own| rest.starts_with(own))
        || rest.ends_with(".host_name")
        || rest.contains(".last_state.")
}

/// The source's snapshots as the copy's: their roots are in its pool.
pub(in crate::instances) fn kept(
    db: &Read<'_>,
    source: &Instance,
    project: &str,
    pool: &str,
) -> Result<Vec<Snapshot>> {
    let mut kept = snapshots::of_instance(db, source.id)?;
    kept.retain(|snapshot| snapshot.made == Made::Ready);
    for snapshot in &mut kept {
        let then = Instance { project: project.to_owned(), ..snapshot.instance(source) };
        snapshot.devices = in_pool(db, &then, pool)?;
    }
    Ok(kept)
}

/// An instance's own devices with its root in that pool.
pub(in crate::instances) fn in_pool(
    db: &Read<'_>,
    instance: &Instance,
    pool: &str,
) -> Result<Devices> {
    let mut devices = instance.devices.clone();
    let expanded = expand::expand(db, instance)?.devices.0;
    let is = |device: &Raw, key: &str, value: &str| device.get(key) == Some(value);
    let is_root = |device: &Raw| is(device, "type", "disk") && is(device, "path", "/");
    let root = expanded.into_iter().find(|(_, device)| is_root(device));
    if let Some((name, mut device)) = root.filter(|(_, device)| !is(device, "pool", pool)) {
        device.set("pool", pool);
        devices.0.insert(name, device);
    }
    Ok(devices)
}

/// Gives a copy what is its own: addresses, ids.
pub(in crate::instances) fn completed(
    db: &Read<'_>,
    world: &World,
    new: &Instance,
) -> Result<Instance> {
    let mut new = new.clone();
    let typed = Typed::parse_whole(&expand::expand(db, &new)?)?;
    volatile::complete(&mut new.config, &typed.devices);
    name_links(db, &world.tag, &mut new, &typed.devices)?;
    if typed.options.security.idmap_isolated {
        volatile::isolate(&mut new.config, &world.host, &typed.options.security, &rows::all(db)?)?;
    }
    Ok(new)
}

/// A snapshot with what is the copy's own in place of what is the source's.
pub(super) fn adapted(snapshot: &Snapshot, copy: &Instance) -> Snapshot {
    let mut config = common(&snapshot.config);
    let own = |key: &&str| key.starts_with("volatile.") && !templates::is_pending(key);
    for key in copy.config.keys().filter(own) {
        if let Some(value) = copy.config.get(key) {
            config.set_default(key, value);
        }
    }
    Snapshot { id: 0, config, ..snapshot.clone() }
}
