//! Moves an instance that is stopped into another pool or project, perhaps under another name.
//!
//! Within a pool its root is renamed. Into another it is copied with its snapshots, and the old one
//! deleted when all else is done.

use options::Raw;
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};
use wire::InstancePost;

use super::{
    copy::{self, From, draft},
    guests::Phase,
    options::Typed,
    root::NewRoot,
};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    copies::{Files, Snapshots},
    db::{
        instance_snapshots::{self as snapshots, Snapshot},
        instances::{self as rows, Instance},
        volumes,
    },
    expand,
    projects::rules,
    url,
};

/// What is done to move an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Relocate {
    caller: Caller,
    from: From,
    #[serde(flatten)]
    root: NewRoot,
    /// The options of its volume as they are.
    #[serde(default)]
    old_config: Raw,
    /// The rows as they are and as they become.
    old: Instance,
    new: Instance,
    old_snapshots: Vec<Snapshot>,
    new_snapshots: Vec<Snapshot>,
    /// Whether the snapshots do not come along.
    #[serde(default)]
    instance_only: bool,
}

impl Task for Relocate {
    const KIND: &'static str = "instance-relocate";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Relocate>> {
        vec![
            step("see that nothing is in the way", free),
            step("move root", root).undo(root_back),
            step("copy snapshots", kept).undo(delete_side),
            step("move backups", backups).undo(backups_back),
            step("delete logs", logs),
            step("move rows", write_rows).undo(rows_back),
            step("delete old root", old_root).point_of_no_return(),
            step("delete snapshots", left_behind),
            step("tell", tell),
        ]
    }
}

impl Relocate {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        name: &str,
        post: &InstancePost,
    ) -> Result<Relocate> {
        let or = |given: &str, old: &str| if given.is_empty() { old.into() } else { given.into() };
        let (to_project, to_name): (String, String) =
            (or(&post.project, project), or(&post.name, name));
        caller.check(&to_project)?;
        options::names::check_instance(&to_name)
            .map_err(|why| Error::invalid("instance name", why))?;
        super::backups::check_reached(world, project, name)?;
        world.store.read(|db| {
            let old = super::find(db, project, name)?;
            let here = super::snapshots::pool_of(db, project, name)?;
            let pool = or(&post.pool, &here);
            crate::storage::find(db, &pool)?;
            let home = crate::profiles::home(db, &to_project)?;
            let mut new = Instance { project: to_project, name: to_name, ..old.clone() };
            if (&new.project, &new.name, &pool) == (&old.project, &old.name, &here) {
                let why = format!("instance \"{name}\" is in pool \"{pool}\" already");
                return Err(Error::invalid("move", why));
            }
            not_taken(db, &old, &new)?;
            if old.stateful && pool != here {
                let hint = "start it and stop it without its memory, to move it into another pool";
                return Err(Error::State { name: old.name, is: "stopped with its memory", hint });
            }
            super::check_profiles(db, &home, &new.profiles)?;
            new.devices = draft::in_pool(db, &new, &pool)?;
            let typed = Typed::parse_whole(&expand::expand(db, &new)?)?;
            let old_config = super::root::options_of(db, &old)?;
            let mut root = NewRoot::filled(db, new.kind(), &typed)?;
            if pool == here {
                root.config.clone_from(&old_config);
            }
            super::check_devices(db, new.kind(), (&new.project, &new.name), &typed)?;
            rules::admit(db, &new)?;
            let old_snapshots = snapshots::of_instance(db, old.id)?;
            let new_snapshots = match post.instance_only {
                true => Vec::new(),
                false => draft::kept(db, &old, &new.project, &pool)?,
            };
            let (project, instance) = (old.project.clone(), old.name.clone());
            Ok(Relocate {
                caller: caller.clone(),
                from: From { project, instance, snapshot: None, pool: here },
                root,
                old_config,
                old,
                new,
                old_snapshots,
                new_snapshots,
                instance_only: post.instance_only,
            })
        })
    }

    fn within(&self) -> bool {
        self.from.pool == self.root.pool
    }
}

/// Fails when another instance is where this one is to be.
fn not_taken(db: &store::Read<'_>, old: &Instance, new: &Instance) -> Result<()> {
    match rows::get(db, &new.project, &new.name)? {
        Some(row) if row.id != old.id => Err(Error::exists("instance", &new.name)),
        _ => Ok(()),
    }
}

/// Moves an instance that is stopped.
pub async fn relocate(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    post: &InstancePost,
) -> Result<Operation> {
    // Clients ask for a live move whatever the instance does; one that runs is refused below.
    let task = Relocate::new(world, caller, project, name, post)?;
    if world.guests.get(project, name).is_some() {
        let (name, hint) = (name.to_owned(), "stop it before moving it");
        return Err(Error::State { name, is: "running", hint });
    }
    let request = super::request(world, "Moving instance", caller, project, name);
    let to = super::lock_name(&task.new.project, &task.new.name);
    let request = match to == super::lock_name(project, name) {
        true => request,
        false => request.lock(to),
    };
    world.submit(task, request)
}

async fn free(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { old, new, .. } = &*cx.input;
    match cx.world.guests.get(&old.project, &old.name) {
        Some(guest) if guest.phase() != Phase::Gone => {
            let hint = "somebody started it before it was to be moved";
            Err(Error::State { name: old.name.clone(), is: "running", hint })
        }
        _ => cx.world.store.read(|db| not_taken(db, old, new)),
    }
}

async fn files(cx: &Cx<Relocate>) -> Result<Files> {
    let Relocate { from, new, root, .. } = &*cx.input;
    let shape = root.shape(new.kind())?;
    Files::open(&cx.world, copy::ends(from, new, &root.pool)?, shape, &cx.control).await
}

async fn rename(cx: &Cx<Relocate>, from: &Instance, to: &Instance) -> Result<()> {
    let pool = cx.world.pools.open(&cx.world, &cx.input.root.pool).await?;
    let (from, to) = (from.root()?, to.root()?);
    blocking("rename root volume", move || match pool.exists(&from)? {
        true => pool.rename(&from, &to),
        false => Ok(()),
    })
    .await
}

async fn root(cx: &mut Cx<Relocate>) -> Result<()> {
    match cx.input.within() {
        true => rename(cx, &cx.input.old, &cx.input.new).await,
        false => files(cx).await?.whole(Snapshots::any(&cx.input.new_snapshots)).await,
    }
}

async fn root_back(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { old, new, root, .. } = &*cx.input;
    // Whatever has that name is somebody else's then.
    if cx.world.store.read(|db| not_taken(db, old, new)).is_err() {
        return Ok(());
    }
    match cx.input.within() {
        true => rename(cx, new, old).await,
        false => super::delete::delete_volume(&cx.world, &root.pool, new).await,
    }
}

async fn kept(cx: &mut Cx<Relocate>) -> Result<()> {
    if cx.input.within() {
        return Ok(());
    }
    files(cx).await?.all(cx.input.new_snapshots.iter().map(|one| &one.name)).await
}

async fn delete_side(cx: &mut Cx<Relocate>) -> Result<()> {
    if cx.input.within() { Ok(()) } else { files(cx).await?.delete_side().await }
}

async fn move_backups(cx: &Cx<Relocate>, from: &Instance, to: &Instance) -> Result<()> {
    let (from, to) = ((&*from.project, &*from.name), (&*to.project, &*to.name));
    if from == to {
        return Ok(());
    }
    super::backups::follow(&cx.world, from, to).await
}

async fn backups(cx: &mut Cx<Relocate>) -> Result<()> {
    move_backups(cx, &cx.input.old, &cx.input.new).await
}

async fn backups_back(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { old, new, .. } = &*cx.input;
    match cx.world.store.read(|db| not_taken(db, old, new)) {
        Ok(()) => move_backups(cx, new, old).await,
        // Whatever has that name is somebody else's then.
        Err(_) => Ok(()),
    }
}

async fn logs(cx: &mut Cx<Relocate>) -> Result<()> {
    let old = &cx.input.old;
    super::delete::remove_folders(&cx.world, &old.project, &old.name).await
}

/// Makes the rows say what `to` and `snapshots` say.
async fn put(
    cx: &Cx<Relocate>,
    to: &Instance,
    (pool, config): (&str, &Raw),
    kept: &[Snapshot],
) -> Result<()> {
    let Relocate { old, new, .. } = &*cx.input;
    let written = cx.world.store.write(|db| {
        for place in [old, new] {
            let found = rows::get(db, &place.project, &place.name)?;
            if found.is_none_or(|row| row.id != to.id) {
                continue;
            }
            let (project, name) = (place.project.as_str(), place.name.as_str());
            if let Some(volume) = volumes::of_instance(db, project, &to.kind, name)? {
                volumes::relocate(db, volume.id, pool, &to.project, &to.name)?;
                volumes::update(db, volume.id, &volume.description, config)?;
            }
            break;
        }
        rows::relocate(db, to.id, &to.project, &to.name)?;
        let home = crate::profiles::home(db, &to.project)?;
        rows::update(db, to, &home)?;
        for snapshot in kept {
            snapshots::set_devices(db, snapshot.id, &snapshot.devices)?;
        }
        Ok::<_, Error>(())
    });
    written.await
}

async fn write_rows(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { new, root, new_snapshots, .. } = &*cx.input;
    put(cx, new, (&root.pool, &root.config), new_snapshots).await
}

async fn rows_back(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { old, from, old_config, old_snapshots, .. } = &*cx.input;
    put(cx, old, (&from.pool, old_config), old_snapshots).await
}

async fn old_root(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { from, old, .. } = &*cx.input;
    match cx.input.within() {
        true => Ok(()),
        false => super::delete::delete_volume(&cx.world, &from.pool, old).await,
    }
}

/// Deletes the snapshots that do not come along.
async fn left_behind(cx: &mut Cx<Relocate>) -> Result<()> {
    if !cx.input.instance_only {
        return Ok(());
    }
    let (input, new) = (cx.input.clone(), &cx.input.new);
    if cx.input.within() {
        let delete = move |kept: &dyn storage::Snapshots, volume: &storage::VolumeId| {
            input.old_snapshots.iter().try_for_each(|one| kept.delete(volume, &one.name))
        };
        let (project, name) = (&new.project, &new.name);
        super::snapshots::on_disk(&cx.world, project, name, "delete snapshots", delete).await?;
    }
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| {
        for snapshot in &input.old_snapshots {
            snapshots::delete(db, snapshot.id)?;
        }
        Ok::<_, Error>(())
    });
    deleted.await
}

async fn tell(cx: &mut Cx<Relocate>) -> Result<()> {
    let new = &cx.input.new;
    let old = &cx.input.old;
    crate::networks::hosts::tell_of(&cx.world, &old.project, &old.name)?;
    crate::networks::hosts::tell_of(&cx.world, &new.project, &new.name)?;
    let source = url::instance(&new.project, &new.name);
    cx.world.tell(&cx.input.caller, &new.project, "instance-renamed", source);
    Ok(())
}
