//! Takes a snapshot of a volume. Instances that have it mounted are paused while its files are copied,
//! so that they are as after a power cut: of one moment.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};
use wire::StorageVolumeSnapshotsPost;

use super::super::{Key, users};
use crate::{
    Caller, Error, Result, World,
    db::{
        instances::Made,
        volume_snapshots::{self as rows, Snapshot},
    },
    instances::pause,
    projects::rules,
    snapshots::{self, By, Rules},
};

/// What is done to take a snapshot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Take {
    caller: Caller,
    key: Key,
    snapshot: Snapshot,
}

/// The instances that were paused: project and name.
type Paused = Vec<(String, String)>;

impl Task for Take {
    const KIND: &'static str = "volume-snapshot-take";
    type World = World;
    type Notes = Paused;
    type Error = Error;

    fn steps() -> Vec<Step<Take>> {
        vec![
            step("write row", row).undo(delete_row),
            step("find who has it mounted", mounted),
            step("pause them", pause).undo(go_on),
            step("keep files", files).undo(delete_files),
            step("let them go on", go_on),
            step("mark row as whole", whole),
        ]
    }
}

impl Take {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        key: &Key,
        post: &StorageVolumeSnapshotsPost,
        by: By,
    ) -> Result<Take> {
        let now = clock::utc();
        world.store.read(|db| {
            let row = key.find(db)?;
            rules::admit_snapshot(db, &key.project)?;
            if row.content == "iso" {
                let why = format!("\"{}\" is an ISO, which never changes", key.name);
                return Err(Error::invalid("snapshot", why));
            }
            let options = super::super::typed(&row.config)?;
            let others = rows::of_volume(db, row.id)?;
            let rules = Rules {
                owner: &key.name,
                pattern: &options.snapshots_pattern,
                expiry: options.snapshots_expiry.as_ref(),
                retention: options.snapshots_retention.as_ref(),
                taken: others.iter().map(|other| other.name.as_str()).collect(),
            };
            let description = match post.description.as_str() {
                "" => row.description.clone(),
                given => given.to_owned(),
            };
            let snapshot = Snapshot {
                id: 0,
                volume_id: row.id,
                name: rules.name(&post.name)?,
                description,
                expires_at: rules.end(post.expires_at, by, now)?,
                scheduled: by == By::Schedule,
                config: row.config,
                created_at: now,
                made: Made::Creating,
            };
            Ok(Take { caller: caller.clone(), key: key.clone(), snapshot })
        })
    }

    /// The row this task wrote, if it is there.
    fn own(&self, db: &store::Read<'_>) -> Result<Option<Snapshot>> {
        let found = rows::get(db, self.snapshot.volume_id, &self.snapshot.name)?;
        Ok(found.filter(|row| row.created_at == self.snapshot.created_at))
    }
}

/// Takes a snapshot.
pub async fn take(
    world: &World,
    caller: &Caller,
    key: &Key,
    post: &StorageVolumeSnapshotsPost,
) -> Result<Operation> {
    let task = Take::new(world, caller, key, post, By::Hand)?;
    let name = &task.snapshot.name;
    let request = super::request("Snapshotting storage volume", caller, key, name);
    world.submit(task, request)
}

/// Takes the snapshot that a schedule asks for, once the volume is free.
pub(crate) async fn take_by_clock(world: &World, key: &Key) -> Result<()> {
    let caller = Caller::default();
    let post = StorageVolumeSnapshotsPost::default();
    let task = Take::new(world, &caller, key, &post, By::Schedule)?;
    let name = &task.snapshot.name;
    let request = super::request("Taking scheduled snapshot", &caller, key, name);
    world.submit(task, request.wait_when_busy())?.result().await.map_err(Error::failed)
}

async fn row(cx: &mut Cx<Take>) -> Result<()> {
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| {
            if input.own(db)?.is_some() {
                return Ok(());
            }
            let (key, new) = (&input.key, &input.snapshot);
            let there = key.find(db)?;
            if there.id != new.volume_id {
                return Err(Error::not_found("storage volume", &key.name));
            }
            if rows::get(db, there.id, &new.name)?.is_some() {
                return Err(Error::exists("snapshot", &format!("{}/{}", key.name, new.name)));
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

async fn mounted(cx: &mut Cx<Take>) -> Result<()> {
    let volume = cx.world.store.read(|db| cx.input.key.find(db))?;
    cx.notes = users::writers(&cx.world, &volume).await?;
    Ok(())
}

async fn pause(cx: &mut Cx<Take>) -> Result<()> {
    pause::all(&cx.world, &cx.notes).await
}

async fn go_on(cx: &mut Cx<Take>) -> Result<()> {
    pause::all_go_on(&cx.world, &cx.notes).await
}

async fn files(cx: &mut Cx<Take>) -> Result<()> {
    let (input, control) = (cx.input.clone(), cx.control.clone());
    super::on_disk(&cx.world, &cx.input.key, "keep files", move |kept, volume| {
        snapshots::keep(kept, volume, &input.snapshot.name, &control)
    })
    .await
}

async fn delete_files(cx: &mut Cx<Take>) -> Result<()> {
    let (world, input) = (&cx.world, cx.input.clone());
    if world.store.read(|db| cx.input.own(db))?.is_none() {
        return Ok(());
    }
    super::on_disk(world, &cx.input.key, "delete files", move |kept, volume| {
        kept.delete(volume, &input.snapshot.name)
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
    let Take { caller, key, snapshot } = &*cx.input;
    let source = super::address(key, &snapshot.name);
    cx.world.tell(caller, &key.project, "storage-volume-snapshot-created", source);
    Ok(())
}
