//! Copies an instance, or makes one from a snapshot: in its pool or another, its project or another.
//!
//! ```text
//! rows (creating) ─> pause source ─> root ─> its snapshots ─> go on ─> rows (ready) ─> start
//! ```
//! What rows become is in [`draft`], how files get there in [`crate::copies`].

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};
use wire::InstancesPost;

use super::{
    boot::{self, Starting},
    pause,
    root::NewRoot,
    start,
};
use crate::{
    Caller, Error, Result, World,
    copies::{Ends, Files, Snapshots},
    db::{
        instance_snapshots::{self as snapshots, Snapshot},
        instances::{self as rows, Instance, Made},
        volumes,
    },
    expand::{self, Expanded},
    projects::rules,
    url,
};

pub(super) mod draft;
mod refresh;

pub(crate) use refresh::Refresh;

/// What is done to copy an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Copy {
    caller: Caller,
    from: From,
    /// The copy, without what is given to it when its row is written.
    instance: Instance,
    /// Its snapshots, as those of the source but for what is each instance's own.
    snapshots: Vec<Snapshot>,
    #[serde(flatten)]
    root: NewRoot,
    /// Whether it is started when it is whole.
    #[serde(default)]
    start: bool,
}

/// What is copied.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct From {
    pub(super) project: String,
    pub(super) instance: String,
    /// Only this snapshot, without the instance as it is now.
    pub(super) snapshot: Option<String>,
    pub(super) pool: String,
}

impl Task for Copy {
    const KIND: &'static str = "instance-copy";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Copy>> {
        vec![
            step("write rows", write_rows).undo(delete_rows),
            step("pause source", pause_source).undo(go_on),
            step("copy root", root).undo(delete_root),
            step("copy snapshots", kept).undo(delete_side),
            step("resume source", go_on),
            step("mark rows as whole", whole),
            step("start monitor", monitor).undo(abandon),
            step("attach ports", ports),
            step("run init", release),
            step("note that it runs", runs),
        ]
    }
}

/// Copies an instance.
pub async fn copy(
    world: &World,
    caller: &Caller,
    project: &str,
    post: InstancesPost,
) -> Result<Operation> {
    caller.check_named(&post.source.project)?;
    if post.source.refresh && refresh::is_there(world, project, &post.name)? {
        return refresh::refresh(world, caller, project, &post);
    }
    let task = Copy::new(world, caller, project, &post)?;
    let source = super::lock_name(&task.from.project, &task.from.instance);
    let name = &task.instance.name;
    let request = super::request(world, "Copying instance", caller, project, name).share(source);
    world.submit(task, request)
}

impl Copy {
    /// The row this task wrote, if it is there.
    fn own(&self, db: &store::Read<'_>) -> Result<Option<Instance>> {
        let found = rows::get(db, &self.instance.project, &self.instance.name)?;
        Ok(found.filter(|row| row.created_at == self.instance.created_at))
    }
}

async fn write_rows(cx: &mut Cx<Copy>) -> Result<()> {
    let input = cx.input.clone();
    let world = cx.world.clone();
    cx.world
        .store
        .write(|db| {
            if input.own(db)?.is_some() {
                return Ok(());
            }
            let new = &input.instance;
            if rows::get(db, &new.project, &new.name)?.is_some() {
                return Err(Error::exists("instance", &new.name));
            }
            let new = draft::completed(db, &world, new)?;
            rules::admit(db, &new)?;
            rows::insert(db, &new, &crate::profiles::home(db, &new.project)?)?;
            volumes::insert(db, &input.root.row(&new))?;
            let id = input.own(db)?.map(|row| row.id).unwrap_or_default();
            for snapshot in &input.snapshots {
                let snapshot = draft::adapted(snapshot, &new);
                snapshots::insert(db, &Snapshot { instance_id: id, ..snapshot })?;
            }
            Ok(())
        })
        .await
}

async fn delete_rows(cx: &mut Cx<Copy>) -> Result<()> {
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| {
        if let Some(row) = input.own(db)? {
            volumes::delete(db, &row.project, &row.kind, &row.name)?;
            rows::delete(db, &row.project, &row.name)?;
        }
        Ok::<_, Error>(())
    });
    deleted.await
}

async fn pause_source(cx: &mut Cx<Copy>) -> Result<()> {
    match !cx.input.snapshots.is_empty() && files(cx).await?.by_streams() {
        // Snapshots come first.
        true => Ok(()),
        false => hold(cx).await,
    }
}

async fn hold(cx: &Cx<Copy>) -> Result<()> {
    match cx.input.from.snapshot {
        Some(_) => Ok(()),
        None => pause::pause(&cx.world, &cx.input.from.project, &cx.input.from.instance).await,
    }
}

/// The source is paused no longer than it must.
async fn held_files(cx: &Cx<Copy>) -> Result<Files> {
    let From { project, instance, snapshot, .. } = cx.input.from.clone();
    let paused = if snapshot.is_none() { vec![(project, instance)] } else { Vec::new() };
    Ok(files(cx).await?.when_held(pause::until_held(&cx.world, paused)))
}

async fn go_on(cx: &mut Cx<Copy>) -> Result<()> {
    match cx.input.from.snapshot {
        Some(_) => Ok(()),
        None => pause::go_on(&cx.world, &cx.input.from.project, &cx.input.from.instance).await,
    }
}

/// The roots of what is copied and of the copy.
pub(super) fn ends<'a>(from: &'a From, to: &Instance, pool: &'a str) -> Result<Ends<'a>> {
    let target = to.root()?;
    Ok(Ends {
        from: (&from.pool, to.kind().root(&from.project, &from.instance)?),
        snapshot: from.snapshot.clone(),
        // No instance can be called so.
        side: format!("{}@new", target.name),
        to: (pool, target),
    })
}

async fn files(cx: &Cx<Copy>) -> Result<Files> {
    let Copy { from, instance, root, .. } = &*cx.input;
    let shape = root.shape(instance.kind())?;
    Files::open(&cx.world, ends(from, instance, &root.pool)?, shape, &cx.control).await
}

async fn root(cx: &mut Cx<Copy>) -> Result<()> {
    held_files(cx).await?.whole(Snapshots::any(&cx.input.snapshots)).await
}

async fn kept(cx: &mut Cx<Copy>) -> Result<()> {
    let files = held_files(cx).await?;
    if files.snapshots(cx.input.snapshots.iter().map(|one| &one.name)).await? {
        hold(cx).await?;
        files.refresh().await?;
    }
    Ok(())
}

async fn delete_root(cx: &mut Cx<Copy>) -> Result<()> {
    match cx.world.store.read(|db| cx.input.own(db))? {
        Some(row) => super::delete::delete_volume(&cx.world, &cx.input.root.pool, &row).await,
        None => Ok(()),
    }
}

async fn delete_side(cx: &mut Cx<Copy>) -> Result<()> {
    match cx.world.store.read(|db| cx.input.own(db))? {
        Some(_) => files(cx).await?.delete_side().await,
        None => Ok(()),
    }
}

async fn whole(cx: &mut Cx<Copy>) -> Result<()> {
    let (project, name) = (&cx.input.instance.project, &cx.input.instance.name);
    let marked = cx.world.store.write(|db| match cx.input.own(db)? {
        Some(_) => Ok(rows::set_made(db, project, name, Made::Ready)?),
        None => Err(Error::not_found("instance", name)),
    });
    marked.await?;
    cx.world.tell(&cx.input.caller, project, "instance-created", url::instance(project, name));
    Ok(())
}

/// The copy as it was written, for its start; None where it is not to start.
fn made(cx: &Cx<Copy>) -> Result<Option<(Instance, Expanded)>> {
    if !cx.input.start {
        return Ok(None);
    }
    cx.world.store.read(|db| match cx.input.own(db)? {
        Some(row) => {
            let expanded = expand::expand(db, &row)?;
            Ok(Some((row, expanded)))
        }
        None => Ok(None),
    })
}

async fn monitor(cx: &mut Cx<Copy>) -> Result<()> {
    let Some((instance, expanded)) = made(cx)? else { return Ok(()) };
    let starting = Starting::new(&cx.world, &instance, &expanded);
    starting.monitor(&mut boot::Notes::default()).await
}

async fn abandon(cx: &mut Cx<Copy>) -> Result<()> {
    let Some((instance, expanded)) = made(cx)? else { return Ok(()) };
    Starting::new(&cx.world, &instance, &expanded).abandon().await
}

async fn ports(cx: &mut Cx<Copy>) -> Result<()> {
    let Some((instance, expanded)) = made(cx)? else { return Ok(()) };
    Starting::new(&cx.world, &instance, &expanded).ports().await
}

async fn release(cx: &mut Cx<Copy>) -> Result<()> {
    let Some((instance, expanded)) = made(cx)? else { return Ok(()) };
    Starting::new(&cx.world, &instance, &expanded).release().await
}

async fn runs(cx: &mut Cx<Copy>) -> Result<()> {
    match made(cx)? {
        Some((instance, _)) => start::note(&cx.world, &cx.input.caller, &instance).await,
        None => Ok(()),
    }
}
