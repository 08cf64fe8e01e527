//! Moves a custom volume into another pool or project. Within a pool its folder is renamed; into another
//! it is copied with its snapshots, and the old one is deleted when all else is done.

use options::Raw;
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};
use wire::StorageVolumePost;

use super::{Key, Uses, config, copy, create, rename, users};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    copies::{Files, Snapshots},
    db::{
        instances::Made,
        volume_snapshots as snapshot_rows,
        volumes::{self as rows, Volume},
    },
    projects::rules,
};

/// What is done to move a volume.
#[derive(Serialize, Deserialize)]
pub(crate) struct Relocate {
    caller: Caller,
    from: Key,
    to: Key,
    volume: Volume,
    snapshots: Vec<String>,
}

impl Task for Relocate {
    const KIND: &'static str = "volume-relocate";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Relocate>> {
        vec![
            step("see that it is not mounted", unmounted),
            step("move files", files).undo(files_back),
            step("copy snapshots", kept).undo(delete_side),
            step("move row", row).undo(row_back),
            step("delete old files", old_files).point_of_no_return(),
            step("tell", tell),
        ]
    }
}

impl Relocate {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        (pool, project, name): (&str, &str, &str),
        post: &StorageVolumePost,
    ) -> Result<Relocate> {
        options::names::check_volume(&post.name)
            .map_err(|why| Error::invalid("volume name", why))?;
        let or = |given: &str, here: &str| {
            if given.is_empty() { here.to_owned() } else { given.to_owned() }
        };
        world.store.read(|db| {
            let from = Key::of(db, pool, project, name)?;
            let to = Key::of(db, &or(&post.pool, pool), &or(&post.project, project), &post.name)?;
            let volume = from.find(db)?;
            users::check_no_depot(db, &from)?;
            if to.row(db)?.is_some() {
                return Err(Error::exists("storage volume", &post.name));
            }
            if from.project != to.project {
                // Who names it could not find it there.
                Uses::read(db)?.check_free(&from)?;
            }
            let kept = snapshot_rows::of_volume(db, volume.id)?.into_iter();
            let kept = kept.filter(|one| one.made == Made::Ready).map(|one| one.name).collect();
            Ok(Relocate { caller: caller.clone(), from, to, volume, snapshots: kept })
        })
    }

    fn within(&self) -> bool {
        self.from.pool == self.to.pool
    }
}

/// Moves a volume that nobody has mounted.
pub async fn relocate(
    world: &World,
    caller: &Caller,
    (pool, project, kind, name): (&str, &str, &str, &str),
    post: &StorageVolumePost,
) -> Result<Operation> {
    super::custom(kind)?;
    if post.volume_only {
        return Err(Error::Unsupported("a move without snapshots"));
    }
    let task = Relocate::new(world, caller, (pool, project, name), post)?;
    let (from, to) = (task.from.clone(), task.to.clone());
    caller.check(&to.project)?;
    create::check_free_on_disk(world, &to).await?;
    world.submit(task, from.request("Moving storage volume", caller).lock(to.claim()))
}

async fn unmounted(cx: &mut Cx<Relocate>) -> Result<()> {
    match cx.world.store.read(|db| cx.input.from.row(db))? {
        Some(row) => users::check_not_mounted(&cx.world, &row).await,
        None => Ok(()),
    }
}

/// The volume as it will be.
fn there(input: &Relocate) -> Volume {
    let Key { pool, project, name } = input.to.clone();
    Volume { pool, project, name, ..input.volume.clone() }
}

async fn copied(cx: &Cx<Relocate>) -> Result<Files> {
    copy::open(&cx.world, &cx.input.from, None, &there(&cx.input), &cx.control).await
}

async fn files(cx: &mut Cx<Relocate>) -> Result<()> {
    match cx.input.within() {
        true => rename::on_disk(&cx.world, &cx.input.from, &cx.input.to).await,
        false => copied(cx).await?.whole(Snapshots::any(&cx.input.snapshots)).await,
    }
}

async fn files_back(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { from, to, .. } = &*cx.input;
    // Whatever has that name is somebody else's then.
    if cx.world.store.read(|db| to.row(db))?.is_some_and(|row| row.id != cx.input.volume.id) {
        return Ok(());
    }
    match cx.input.within() {
        true => rename::on_disk(&cx.world, to, from).await,
        false => delete_on_disk(&cx.world, to).await,
    }
}

async fn delete_on_disk(world: &World, key: &Key) -> Result<()> {
    let (pool, id) = (world.pools.open(world, &key.pool).await?, key.on_disk()?);
    blocking("delete volume", move || pool.delete(&id)).await
}

async fn kept(cx: &mut Cx<Relocate>) -> Result<()> {
    if cx.input.within() {
        return Ok(());
    }
    copied(cx).await?.all(cx.input.snapshots.iter()).await
}

async fn delete_side(cx: &mut Cx<Relocate>) -> Result<()> {
    if cx.input.within() { Ok(()) } else { copied(cx).await?.delete_side().await }
}

async fn row(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { from, to, volume, .. } = &*cx.input;
    let driver = cx.world.store.read(|db| crate::storage::find(db, &to.pool))?.driver;
    let mut options = volume.config.clone();
    config::fit(&mut options, &driver);
    move_row(cx, from, to, &options).await
}

async fn row_back(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { from, to, volume, .. } = &*cx.input;
    move_row(cx, to, from, &volume.config).await
}

/// Moves the row, and the devices that name it, if it is this volume's.
async fn move_row(cx: &Cx<Relocate>, from: &Key, to: &Key, options: &Raw) -> Result<()> {
    let id = cx.input.volume.id;
    let moved = cx.world.store.write(|db| {
        if from.row(db)?.is_none_or(|row| row.id != id) {
            return Ok(());
        }
        if from.project != to.project {
            Uses::read(db)?.check_free(from)?;
        }
        rows::update(db, id, &cx.input.volume.description, options)?;
        rows::relocate(db, id, &to.pool, &to.project, &to.name)?;
        rename::follow(db, from, to)?;
        rules::keep(db, &to.project)
    });
    moved.await
}

async fn old_files(cx: &mut Cx<Relocate>) -> Result<()> {
    match cx.input.within() {
        true => Ok(()),
        false => delete_on_disk(&cx.world, &cx.input.from).await,
    }
}

async fn tell(cx: &mut Cx<Relocate>) -> Result<()> {
    let Relocate { caller, from, to, .. } = &*cx.input;
    let context = [(String::from("old_name"), from.name.clone().into())].into_iter().collect();
    cx.world.tell_with(caller, &to.project, "storage-volume-renamed", to.url(), context);
    Ok(())
}
