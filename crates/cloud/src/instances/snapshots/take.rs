//! Takes a snapshot. An instance that runs is paused while its files are copied, so that they are
//! as after a power cut: of one moment.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};
use wire::InstanceSnapshotsPost;

use crate::{
    Caller, Error, Result, World,
    db::{
        instance_snapshots::{self as rows, Snapshot},
        instances::{Instance, Made},
    },
    expand,
    instances::{guests::Phase, machine::memory, options::Typed, pause, suspend},
    projects::rules,
    snapshots::{self, By, Rules},
};

/// What is done to take a snapshot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Take {
    caller: Caller,
    project: String,
    instance: String,
    snapshot: Snapshot,
    /// Whether the memory of a machine that runs goes into it.
    #[serde(default)]
    keeps_memory: bool,
    /// Bytes that it may take.
    #[serde(default)]
    limit: Option<u64>,
    /// Whether a client has paused it.
    #[serde(default)]
    frozen: bool,
}

impl Task for Take {
    const KIND: &'static str = "instance-snapshot-take";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Take>> {
        vec![
            step("write row", row).undo(delete_row),
            step("pause instance", pause).undo(go_on),
            step("keep files", files).undo(delete_files),
            step("resume instance", go_on),
            step("mark row as whole", whole),
        ]
    }
}

impl Take {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        instance: &str,
        post: &InstanceSnapshotsPost,
        by: By,
    ) -> Result<Take> {
        let runs = world.guests.get(project, instance);
        let frozen = runs.as_ref().is_some_and(|guest| guest.phase() == Phase::Frozen);
        let now = clock::utc();
        world.store.read(|db| {
            let row = crate::instances::find(db, project, instance)?;
            rules::admit_snapshot(db, project)?;
            let typed = Typed::parse(&expand::expand(db, &row)?)?;
            if post.stateful && runs.is_none() && !row.stateful {
                let hint = "start it first, or take a snapshot without its memory";
                return Err(Error::State { name: row.name, is: "stopped", hint });
            }
            if post.stateful {
                suspend::check(&row, &typed)?;
            }
            let others = rows::of_instance(db, row.id)?;
            let rules = Rules {
                owner: instance,
                pattern: &typed.options.snapshots.pattern,
                expiry: typed.options.snapshots.expiry.as_ref(),
                retention: typed.options.snapshots.retention.as_ref(),
                taken: others.iter().map(|other| other.name.as_str()).collect(),
            };
            let snapshot = Snapshot {
                id: 0,
                instance_id: row.id,
                name: rules.name(&post.name)?,
                description: row.description,
                architecture: row.architecture,
                config: row.config,
                devices: row.devices,
                profiles: row.profiles,
                ephemeral: row.ephemeral,
                stateful: post.stateful || row.stateful,
                created_at: now,
                last_used_at: row.last_used_at,
                expires_at: rules.end(post.expires_at, by, now)?,
                scheduled: by == By::Schedule,
                made: Made::Creating,
            };
            let (project, instance) = (project.to_owned(), instance.to_owned());
            let keeps_memory = post.stateful && runs.is_some();
            let limit = typed.state_size();
            let caller = caller.clone();
            Ok(Take { caller, project, instance, snapshot, keeps_memory, limit, frozen })
        })
    }

    /// The row this task wrote, if it is there.
    fn own(&self, db: &store::Read<'_>) -> Result<Option<Snapshot>> {
        let found = rows::get(db, self.snapshot.instance_id, &self.snapshot.name)?;
        Ok(found.filter(|row| row.created_at == self.snapshot.created_at))
    }
}

/// Takes a snapshot.
pub async fn take(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    post: &InstanceSnapshotsPost,
) -> Result<Operation> {
    let task = Take::new(world, caller, project, instance, post, By::Hand)?;
    let name = &task.snapshot.name;
    let request = super::request(world, "Snapshotting instance", caller, project, instance, name);
    world.submit(task, request)
}

/// Takes the snapshot that a schedule asks for, once the instance is free.
pub(crate) async fn take_by_clock(world: &World, project: &str, instance: &str) -> Result<()> {
    take_at_start(world, project, instance)?.result().await.map_err(Error::failed)
}

/// The same, without waiting for it.
pub(crate) fn take_at_start(world: &World, project: &str, instance: &str) -> Result<Operation> {
    let (caller, post) = (Caller::default(), InstanceSnapshotsPost::default());
    let task = Take::new(world, &caller, project, instance, &post, By::Schedule)?;
    let (words, name) = ("Taking scheduled snapshot", &task.snapshot.name);
    let request = super::request(world, words, &caller, project, instance, name).wait_when_busy();
    world.submit(task, request)
}

async fn row(cx: &mut Cx<Take>) -> Result<()> {
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| {
            if input.own(db)?.is_some() {
                return Ok(());
            }
            let (instance, new) = (&input.instance, &input.snapshot);
            let there = crate::instances::find(db, &input.project, instance)?;
            if there.id != new.instance_id {
                return Err(Error::not_found("instance", instance));
            }
            if rows::get(db, there.id, &new.name)?.is_some() {
                return Err(Error::exists("snapshot", &format!("{instance}/{}", new.name)));
            }
            Ok(rows::insert(db, new)?)
        })
        .await
}

async fn delete_row(cx: &mut Cx<Take>) -> Result<()> {
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok::<_, Error>(rows::delete(db, row.id)?),
        None => Ok(()),
    });
    deleted.await
}

fn row_of(cx: &Cx<Take>) -> Result<Instance> {
    cx.world.store.read(|db| crate::instances::find(db, &cx.input.project, &cx.input.instance))
}

async fn pause(cx: &mut Cx<Take>) -> Result<()> {
    if cx.input.keeps_memory {
        let Take { project, instance, limit, .. } = &*cx.input;
        let guest = crate::instances::guest(&cx.world, project, instance)?;
        return memory::save(&cx.world, &guest, &row_of(cx)?, *limit).await;
    }
    pause::pause(&cx.world, &cx.input.project, &cx.input.instance).await
}

async fn go_on(cx: &mut Cx<Take>) -> Result<()> {
    if cx.input.keeps_memory {
        return memory::take_back(&cx.world, &row_of(cx)?, cx.input.frozen).await;
    }
    pause::go_on(&cx.world, &cx.input.project, &cx.input.instance).await
}

async fn files(cx: &mut Cx<Take>) -> Result<()> {
    let (input, control) = (cx.input.clone(), cx.control.clone());
    let (project, instance) = (&cx.input.project, &cx.input.instance);
    super::on_disk(&cx.world, project, instance, "keep files", move |kept, volume| {
        snapshots::keep(kept, volume, &input.snapshot.name, &control)
    })
    .await
}

async fn delete_files(cx: &mut Cx<Take>) -> Result<()> {
    let (world, input) = (&cx.world, cx.input.clone());
    if world.store.read(|db| cx.input.own(db))?.is_none() {
        return Ok(());
    }
    let (project, instance) = (&cx.input.project, &cx.input.instance);
    super::on_disk(world, project, instance, "delete files", move |snapshots, volume| {
        snapshots.delete(volume, &input.snapshot.name)
    })
    .await
}

async fn whole(cx: &mut Cx<Take>) -> Result<()> {
    let input = cx.input.clone();
    let marked = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok(rows::set_made(db, row.id, Made::Ready)?),
        None => Err(Error::not_found("snapshot", &input.snapshot.name)),
    });
    marked.await?;
    let Take { caller, project, instance, snapshot, .. } = &*cx.input;
    let source = super::address(project, instance, &snapshot.name);
    cx.world.tell(caller, project, "instance-snapshot-created", source);
    Ok(())
}
