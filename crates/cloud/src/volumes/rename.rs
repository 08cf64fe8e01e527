//! Renames a custom volume, and what the devices of instances and profiles call it.

use options::device::Devices;
use serde::{Deserialize, Serialize};
use store::Write;
use tasks::{Cx, Step, Task, step};

use super::{Key, users};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{instances, profiles, volumes as rows},
};

/// What is done to rename a volume.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rename {
    from: Key,
    to: Key,
    /// The row's key: undos touch no other volume of these names.
    id: i64,
}

impl Task for Rename {
    const KIND: &'static str = "volume-rename";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Rename>> {
        vec![
            step("see that it is not mounted", unmounted),
            step("rename row", row).undo(row_back),
            step("rename files", files).undo(files_back),
        ]
    }
}

impl Rename {
    pub(crate) fn new(
        world: &World,
        pool: &str,
        project: &str,
        name: &str,
        to: &str,
    ) -> Result<Rename> {
        options::names::check_volume(to).map_err(|why| Error::invalid("volume name", why))?;
        world.store.read(|db| {
            let from = Key::of(db, pool, project, name)?;
            let row = from.find(db)?;
            users::check_no_depot(db, &from)?;
            let to = from.named(to);
            match to.row(db)? {
                Some(_) => Err(Error::exists("storage volume", &to.name)),
                None => Ok(Rename { from, to, id: row.id }),
            }
        })
    }
}

/// Renames a custom volume.
pub async fn rename(
    world: &World,
    caller: &Caller,
    (pool, project, kind, name): (&str, &str, &str, &str),
    to: &str,
) -> Result<()> {
    super::custom(kind)?;
    let task = Rename::new(world, pool, project, name, to)?;
    let (from, to) = (task.from.clone(), task.to.clone());
    super::create::check_free_on_disk(world, &to).await?;
    let request = from.request("Renaming storage volume", caller).lock(to.claim());
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    let context = [(String::from("old_name"), from.name.into())].into_iter().collect();
    world.tell_with(caller, &to.project, "storage-volume-renamed", to.url(), context);
    Ok(())
}

async fn unmounted(cx: &mut Cx<Rename>) -> Result<()> {
    let from = &cx.input.from;
    match cx.world.store.read(|db| from.row(db))? {
        Some(row) => users::check_not_mounted(&cx.world, &row).await,
        None => Ok(()),
    }
}

async fn row(cx: &mut Cx<Rename>) -> Result<()> {
    move_row(cx, &cx.input.from, &cx.input.to).await
}

async fn row_back(cx: &mut Cx<Rename>) -> Result<()> {
    match is_called(cx, &cx.input.to)? {
        true => move_row(cx, &cx.input.to, &cx.input.from).await,
        false => Ok(()),
    }
}

/// Whether this volume, and no other, has that name.
fn is_called(cx: &Cx<Rename>, key: &Key) -> Result<bool> {
    let found = cx.world.store.read(|db| key.row(db))?;
    Ok(found.is_some_and(|row| row.id == cx.input.id))
}

async fn move_row(cx: &Cx<Rename>, from: &Key, to: &Key) -> Result<()> {
    let id = cx.input.id;
    let moved = cx.world.store.write(|db| {
        match to.row(db)? {
            Some(row) if row.id == id => return Ok(()),
            Some(_) => return Err(Error::exists("storage volume", &to.name)),
            None => {}
        }
        if from.row(db)?.is_none_or(|row| row.id != id) {
            return Err(Error::not_found("storage volume", &from.name));
        }
        rows::rename(db, id, &to.name)?;
        follow(db, from, to)
    });
    moved.await
}

/// Makes devices that name one volume name the other.
pub(super) fn follow(db: &mut Write<'_>, from: &Key, to: &Key) -> Result<()> {
    for row in instances::all(db)? {
        let mut devices = row.devices;
        if super::home(db, &row.project)? == from.project && point(&mut devices, from, to) {
            instances::set_devices(db, row.id, &devices)?;
        }
    }
    for row in profiles::all(db)? {
        let mut devices = row.devices;
        if super::home(db, &row.project)? == from.project && point(&mut devices, from, to) {
            profiles::update(db, row.id, &row.description, &row.config, &devices)?;
        }
    }
    Ok(())
}

/// Whether a device named the volume; it names the other now.
fn point(devices: &mut Devices, from: &Key, to: &Key) -> bool {
    let mut changed = false;
    for device in devices.0.values_mut() {
        if users::named_by(device) != Some((&from.pool, &from.name)) {
            continue;
        }
        let source = device.get("source").unwrap_or_default();
        let rest = source.strip_prefix(from.name.as_str()).unwrap_or_default();
        let source = format!("{}{rest}", to.name);
        device.set("source", source);
        device.set("pool", to.pool.as_str());
        changed = true;
    }
    changed
}

async fn files(cx: &mut Cx<Rename>) -> Result<()> {
    move_files(cx, &cx.input.from, &cx.input.to).await
}

async fn files_back(cx: &mut Cx<Rename>) -> Result<()> {
    match is_called(cx, &cx.input.to)? {
        true => move_files(cx, &cx.input.to, &cx.input.from).await,
        false => Ok(()),
    }
}

async fn move_files(cx: &Cx<Rename>, from: &Key, to: &Key) -> Result<()> {
    on_disk(&cx.world, from, to).await
}

/// Renames a folder within a pool; one that is not there was renamed already.
pub(super) async fn on_disk(world: &World, from: &Key, to: &Key) -> Result<()> {
    let pool = world.pools.open(world, &from.pool).await?;
    let (from, to) = (from.on_disk()?, to.on_disk()?);
    blocking("rename volume", move || match pool.exists(&from)? {
        true => pool.rename(&from, &to),
        false => Ok(()),
    })
    .await
}
