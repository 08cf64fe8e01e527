//! Brings a copy of a volume that exists up to date: its files or disk and its snapshots become those of
//! the source, its options stay its own. Only what differs is written.
//!
//! It writes into the copy as it goes, so a failure leaves it between then and now: asked again, it
//! goes on from there. After a crash of the daemon it goes on by itself.

use serde::{Deserialize, Serialize};
use tasks::{AfterCrash, Cx, Operation, Step, Task, step};
use wire::StorageVolumesPost;

use super::{Key, config, copy, snapshots, users};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    copies::{Changes, Files},
    db::{
        instances::Made,
        volume_snapshots::{self as snapshot_rows, Snapshot},
        volumes::{self as rows, Volume},
    },
    instances::pause,
};

/// What is done to bring a copy up to date.
#[derive(Serialize, Deserialize)]
pub(crate) struct Refresh {
    caller: Caller,
    from: Key,
    copy: Volume,
    /// Bytes that the copy of a disk must have, if it has less.
    size: Option<u64>,
    /// Names of snapshots of the copy that the source has not, or not the same.
    gone: Vec<String>,
    /// Snapshots of the source that the copy has not.
    new: Vec<Snapshot>,
}

impl Task for Refresh {
    const KIND: &'static str = "volume-refresh";
    const AFTER_CRASH: AfterCrash = AfterCrash::Resume;
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Refresh>> {
        vec![
            step("see that it is not mounted", unmounted),
            step("delete snapshots", gone),
            step("copy snapshots", kept).undo(delete_side),
            step("make it as large", grow),
            step("refresh files", files),
            step("tell", tell),
        ]
    }
}

/// Whether the copy that a request names is there, so that it is refreshed and not made.
pub(super) fn is_there(world: &World, pool: &str, project: &str, name: &str) -> Result<bool> {
    world.store.read(|db| Ok(Key::of(db, pool, project, name)?.row(db)?.is_some()))
}

impl Refresh {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        pool: &str,
        project: &str,
        post: &StorageVolumesPost,
    ) -> Result<Refresh> {
        let source = &post.source;
        if source.name.contains('/') {
            return Err(Error::Unsupported("a refresh from a snapshot"));
        }
        let or = |given: &'_ str, here: &str| {
            if given.is_empty() { here.to_owned() } else { given.to_owned() }
        };
        world.store.read(|db| {
            let (of_pool, of_project) = (or(&source.pool, pool), or(&source.project, project));
            let from = Key::of(db, &of_pool, &of_project, &source.name)?;
            let (row, copy) = (from.find(db)?, Key::of(db, pool, project, &post.name)?.find(db)?);
            if row.id == copy.id {
                return Err(Error::invalid("source", "a volume is no copy of itself"));
            }
            if row.content != copy.content {
                let why = format!("it is of content type {}, not {}", row.content, copy.content);
                return Err(Error::invalid("source", why));
            }
            let there = snapshot_rows::of_volume(db, copy.id)?;
            let mut wanted = match source.volume_only {
                true => there.clone(),
                false => snapshot_rows::of_volume(db, row.id)?,
            };
            wanted.retain(|one| one.made == Made::Ready);
            let Changes { gone, new } =
                Changes::of(&there, &wanted, |one| (&one.name, one.created_at));
            let (uses, target) = (users::Uses::read(db)?, super::key_of(&copy));
            gone.iter().try_for_each(|name| uses.check_snapshot_free(&target, name))?;
            let size = config::bytes(&row)?.filter(|_| copy.content == "block");
            let has = config::bytes(&copy)?;
            let size = size.filter(|size| has.is_none_or(|has| has < *size));
            Ok(Refresh { caller: caller.clone(), from, copy, size, gone, new })
        })
    }

    fn target(&self) -> Key {
        super::key_of(&self.copy)
    }
}

/// Brings a copy up to date.
pub(super) async fn refresh(
    world: &World,
    caller: &Caller,
    pool: &str,
    project: &str,
    post: &StorageVolumesPost,
) -> Result<Operation> {
    let task = Refresh::new(world, caller, pool, project, post)?;
    users::check_not_mounted(world, &task.copy).await?;
    let request = task.target().request("Refreshing storage volume", caller);
    let request = request.share(task.from.claim());
    world.submit(task, request)
}

async fn unmounted(cx: &mut Cx<Refresh>) -> Result<()> {
    users::check_not_mounted(&cx.world, &cx.input.copy).await
}

async fn open(cx: &Cx<Refresh>) -> Result<Files> {
    copy::open(&cx.world, &cx.input.from, None, &cx.input.copy, &cx.control).await
}

async fn gone(cx: &mut Cx<Refresh>) -> Result<()> {
    let (input, key) = (cx.input.clone(), cx.input.target());
    snapshots::on_disk(&cx.world, &key, "delete snapshots", move |on, volume| {
        input.gone.iter().try_for_each(|name| on.delete(volume, name))
    })
    .await?;
    let Refresh { copy, gone, .. } = &*cx.input;
    let deleted = cx.world.store.write(|db| {
        for name in gone {
            // One of that name that is new comes only after this.
            if let Some(row) = snapshot_rows::get(db, copy.id, name)? {
                snapshot_rows::delete(db, row.id)?;
            }
        }
        Ok::<_, Error>(())
    });
    deleted.await
}

async fn kept(cx: &mut Cx<Refresh>) -> Result<()> {
    let files = open(cx).await?;
    let id = cx.input.copy.id;
    for snapshot in &cx.input.new {
        files.snapshot(&snapshot.name).await?;
        let row = Snapshot { volume_id: id, made: Made::Ready, ..snapshot.clone() };
        let written = cx.world.store.write(|db| match snapshot_rows::get(db, id, &row.name)? {
            Some(_) => Ok(()),
            None => Ok::<_, Error>(snapshot_rows::insert(db, &row)?),
        });
        written.await?;
    }
    Ok(())
}

/// Deletes what did not become a snapshot, and files of snapshots without a row.
async fn delete_side(cx: &mut Cx<Refresh>) -> Result<()> {
    open(cx).await?.delete_side().await?;
    let id = cx.input.copy.id;
    let rows = cx.world.store.read(|db| Ok::<_, Error>(snapshot_rows::of_volume(db, id)?))?;
    snapshots::on_disk(&cx.world, &cx.input.target(), "delete files", move |on, volume| {
        let known = |name: &String| rows.iter().any(|row| row.name == *name);
        let all = on.list(volume)?;
        all.iter().filter(|name| !known(name)).try_for_each(|name| on.delete(volume, name))
    })
    .await
}

/// A disk grows with its source; nothing makes it smaller again.
async fn grow(cx: &mut Cx<Refresh>) -> Result<()> {
    let Some(size) = cx.input.size else { return Ok(()) };
    let (id, key) = (cx.input.copy.id, cx.input.target());
    let noted = cx.world.store.write(|db| {
        let row = key.find(db)?;
        let mut options = row.config;
        options.set("size", size.to_string());
        Ok::<_, Error>(rows::update(db, id, &row.description, &options)?)
    });
    noted.await?;
    let (pool, volume) = (cx.world.pools.open(&cx.world, &key.pool).await?, key.on_disk()?);
    blocking("resize volume", move || pool.resize(&volume, Some(size))).await
}

/// Who writes into the source is paused only while this runs, whatever comes of it.
async fn files(cx: &mut Cx<Refresh>) -> Result<()> {
    let source = cx.world.store.read(|db| cx.input.from.find(db))?;
    let writers = users::writers(&cx.world, &source).await?;
    let held = pause::until_held(&cx.world, writers.clone());
    let files = open(cx).await?.when_held(held);
    let paused = pause::all(&cx.world, &writers).await;
    let done = match paused {
        Ok(()) => files.refresh().await,
        failed => failed,
    };
    done.and(pause::all_go_on(&cx.world, &writers).await)
}

async fn tell(cx: &mut Cx<Refresh>) -> Result<()> {
    cx.input.target().tell(&cx.world, &cx.input.caller, "storage-volume-updated");
    Ok(())
}
