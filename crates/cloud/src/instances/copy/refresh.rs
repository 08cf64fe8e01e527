//! Brings a copy that exists up to date: its files and snapshots become those of the source, its
//! options stay its own. Only what differs is written.
//!
//! It writes into the copy as it goes, so a failure leaves it between then and now: asked again, it
//! goes on from there. After a crash of the daemon it goes on by itself.

use serde::{Deserialize, Serialize};
use storage::Shape;
use tasks::{AfterCrash, Cx, Operation, Step, Task, step};
use wire::InstancesPost;

use super::{From, draft};
use crate::{
    Caller, Error, Result, World,
    copies::{Changes, Files},
    db::{
        instance_snapshots::{self as snapshots, Snapshot},
        instances::{self as rows, Instance, Made},
    },
    instances::{self, guests::Phase, pause},
    url,
};

/// What is done to bring a copy up to date.
#[derive(Serialize, Deserialize)]
pub(crate) struct Refresh {
    caller: Caller,
    from: From,
    copy: Instance,
    pool: String,
    /// Names of snapshots of the copy that the source has not, or not the same.
    gone: Vec<String>,
    /// Snapshots of the source that the copy has not.
    new: Vec<Snapshot>,
}

impl Task for Refresh {
    const KIND: &'static str = "instance-refresh";
    const AFTER_CRASH: AfterCrash = AfterCrash::Resume;
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Refresh>> {
        vec![
            step("see that it is stopped", stopped),
            step("delete snapshots", gone),
            step("copy snapshots", kept).undo(delete_side),
            step("refresh root", root),
            step("tell", tell),
        ]
    }
}

/// Whether the copy that a request names is there, so that it is refreshed and not made.
pub(super) fn is_there(world: &World, project: &str, name: &str) -> Result<bool> {
    let found = world.store.read(|db| Ok::<_, Error>(rows::get(db, project, name)?))?;
    Ok(found.is_some())
}

impl Refresh {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        post: &InstancesPost,
    ) -> Result<Refresh> {
        world.store.read(|db| {
            let from = draft::from(db, project, post)?;
            if from.snapshot.is_some() {
                return Err(Error::Unsupported("a refresh from a snapshot"));
            }
            let source = instances::find(db, &from.project, &from.instance)?;
            let copy = instances::find(db, project, &post.name)?;
            if source.id == copy.id {
                return Err(Error::invalid("source", "an instance is no copy of itself"));
            }
            let pool = instances::snapshots::pool_of(db, project, &copy.name)?;
            let only = post.source.instance_only || post.source.container_only;
            let there = snapshots::of_instance(db, copy.id)?;
            let wanted = match only {
                true => there.clone(),
                false => draft::kept(db, &source, project, &pool)?,
            };
            let Changes { gone, new } =
                Changes::of(&there, &wanted, |one| (&one.name, one.created_at));
            Ok(Refresh { caller: caller.clone(), from, copy, pool, gone, new })
        })
    }
}

/// Brings a copy up to date.
pub(super) fn refresh(
    world: &World,
    caller: &Caller,
    project: &str,
    post: &InstancesPost,
) -> Result<Operation> {
    let task = Refresh::new(world, caller, project, post)?;
    is_stopped(world, &task.copy)?;
    let source = instances::lock_name(&task.from.project, &task.from.instance);
    let (words, name) = ("Refreshing instance", &task.copy.name);
    let request = instances::request(world, words, caller, project, name).share(source);
    world.submit(task, request)
}

fn is_stopped(world: &World, copy: &Instance) -> Result<()> {
    match world.guests.get(&copy.project, &copy.name) {
        Some(guest) if guest.phase() != Phase::Gone => {
            let (name, hint) = (copy.name.clone(), "stop it before it is refreshed");
            Err(Error::State { name, is: "running", hint })
        }
        _ => Ok(()),
    }
}

async fn stopped(cx: &mut Cx<Refresh>) -> Result<()> {
    is_stopped(&cx.world, &cx.input.copy)?;
    // It belongs to the disk that gives way.
    instances::machine::memory::drop_saved(&cx.world, &cx.input.copy).await
}

async fn files(cx: &Cx<Refresh>) -> Result<Files> {
    let Refresh { from, copy, pool, .. } = &*cx.input;
    let shape = Shape { content: copy.kind().content(), ..Shape::filesystem() };
    Files::open(&cx.world, super::ends(from, copy, pool)?, shape, &cx.control).await
}

async fn gone(cx: &mut Cx<Refresh>) -> Result<()> {
    let input = cx.input.clone();
    let Instance { project, name, id, .. } = &cx.input.copy;
    instances::snapshots::on_disk(
        &cx.world,
        project,
        name,
        "delete snapshots",
        move |on, volume| input.gone.iter().try_for_each(|name| on.delete(volume, name)),
    )
    .await?;
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| {
        for name in &input.gone {
            // One of that name that is new comes only after this.
            if let Some(row) = snapshots::get(db, *id, name)? {
                snapshots::delete(db, row.id)?;
            }
        }
        Ok::<_, Error>(())
    });
    deleted.await
}

async fn kept(cx: &mut Cx<Refresh>) -> Result<()> {
    let files = files(cx).await?;
    for snapshot in &cx.input.new {
        files.snapshot(&snapshot.name).await?;
        let copy = &cx.input.copy;
        let row = draft::adapted(snapshot, copy);
        let row = Snapshot { instance_id: copy.id, made: Made::Ready, ..row };
        let written = cx.world.store.write(|db| match snapshots::get(db, copy.id, &row.name)? {
            Some(_) => Ok(()),
            None => Ok::<_, Error>(snapshots::insert(db, &row)?),
        });
        written.await?;
    }
    Ok(())
}

/// Deletes what did not become a snapshot, and files of snapshots without a row.
async fn delete_side(cx: &mut Cx<Refresh>) -> Result<()> {
    files(cx).await?.delete_side().await?;
    let copy = &cx.input.copy;
    let rows = cx.world.store.read(|db| Ok::<_, Error>(snapshots::of_instance(db, copy.id)?))?;
    let (project, name) = (&copy.project, &copy.name);
    instances::snapshots::on_disk(&cx.world, project, name, "delete files", move |on, volume| {
        let known = |name: &String| rows.iter().any(|row| row.name == *name);
        let all = on.list(volume)?;
        all.iter().filter(|name| !known(name)).try_for_each(|name| on.delete(volume, name))
    })
    .await
}

/// The source is paused only while this runs, whatever comes of it.
async fn root(cx: &mut Cx<Refresh>) -> Result<()> {
    let (project, instance) = (&cx.input.from.project, &cx.input.from.instance);
    let held = pause::until_held(&cx.world, vec![(project.clone(), instance.clone())]);
    let files = files(cx).await?.when_held(held);
    pause::pause(&cx.world, project, instance).await?;
    let done = files.refresh().await;
    done.and(pause::go_on(&cx.world, project, instance).await)
}

async fn tell(cx: &mut Cx<Refresh>) -> Result<()> {
    let Refresh { caller, copy, .. } = &*cx.input;
    let source = url::instance(&copy.project, &copy.name);
    cx.world.tell(caller, &copy.project, "instance-updated", source);
    Ok(())
}
