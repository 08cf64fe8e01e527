//! Copies a custom volume, or makes one from a snapshot: in its pool or another, its project or another.
//!
//! ```text
//! rows (creating) ─> pause who has it mounted ─> files ─> snapshots ─> go on ─> row (ready)
//! ```

use options::Raw;
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};
use uuid::Uuid;
use wire::StorageVolumesPost;

use super::{Key, config, create, refresh, users};
use crate::{
    Caller, Error, Result, World,
    copies::{Ends, Files, Snapshots},
    db::{
        instances::Made,
        pools::Pool,
        volume_snapshots::{self as snapshot_rows, Snapshot},
        volumes::Volume,
    },
    instances::pause,
};

/// What is done to copy a volume.
#[derive(Serialize, Deserialize)]
pub(crate) struct Copy {
    caller: Caller,
    from: Key,
    /// Only this snapshot, without the volume as it is now.
    snapshot: Option<String>,
    volume: Volume,
    /// The source's snapshots, which the copy gets.
    snapshots: Vec<Snapshot>,
}

impl Task for Copy {
    const KIND: &'static str = "volume-copy";
    type World = World;
    /// The instances that were paused: project and name.
    type Notes = Vec<(String, String)>;
    type Error = Error;

    fn steps() -> Vec<Step<Copy>> {
        vec![
            step("write row", row).undo(delete_row),
            step("find who has it mounted", mounted),
            step("pause them", hold).undo(go_on),
            step("copy files", whole).undo(delete_files),
            step("copy snapshots", kept).undo(delete_side),
            step("let them go on", go_on),
            step("mark as made", ready),
        ]
    }
}

impl Copy {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        pool: &str,
        project: &str,
        post: StorageVolumesPost,
    ) -> Result<Copy> {
        options::names::check_volume(&post.name)
            .map_err(|why| Error::invalid("volume name", why))?;
        let source = &post.source;
        let or = |given: &str, here: &str| {
            if given.is_empty() { here.to_owned() } else { given.to_owned() }
        };
        let (of_pool, of_project) = (or(&source.pool, pool), or(&source.project, project));
        let (name, snapshot) = match source.name.split_once('/') {
            Some((name, snapshot)) => (name, Some(snapshot.to_owned())),
            None => (source.name.as_str(), None),
        };
        world.store.read(|db| {
            let from = Key::of(db, &of_pool, &of_project, name)?;
            let to = Key::of(db, pool, project, &post.name)?;
            if to.row(db)?.is_some() {
                return Err(Error::exists("storage volume", &post.name));
            }
            let row = from.find(db)?;
            let then = match &snapshot {
                Some(name) => super::snapshots::find(db, &from, name)?.1.config,
                None => row.config.clone(),
            };
            let of = crate::storage::find(db, pool)?;
            let options = merged(then, &post.config.clone().into(), &of);
            check(&row, &post.content_type, &options, &of)?;
            let kept = match source.volume_only || snapshot.is_some() {
                true => Vec::new(),
                false => snapshot_rows::of_volume(db, row.id)?,
            };
            let kept = kept.into_iter().filter(|one| one.made == Made::Ready).collect();
            let description = or(&post.description, &row.description);
            let volume = create::draft(world, &to, &row.content, options, description);
            Ok(Copy { caller: caller.clone(), from, snapshot, volume, snapshots: kept })
        })
    }

    fn target(&self) -> Key {
        super::key_of(&self.volume)
    }
}

/// The options of a copy: its source's with what is asked for over them, and an identity of its own.
fn merged(mut then: Raw, asked: &Raw, pool: &Pool) -> Raw {
    let mut asked = asked.clone();
    // Clients send all that they found at the source.
    let told = then.clone();
    asked.retain(|key, value| told.get(key) != Some(value));
    config::fit(&mut then, &pool.driver);
    then.merge(&asked);
    then.retain(|key, _| !key.starts_with("volatile."));
    then.set("volatile.uuid", Uuid::new_v4().to_string());
    then
}

fn check(source: &Volume, content: &str, options: &Raw, pool: &Pool) -> Result<()> {
    if !content.is_empty() && content != source.content {
        let why = format!("\"{content}\": the source is of content type {}", source.content);
        return Err(Error::invalid("content type", why));
    }
    let typed = config::check(options, &source.content, pool)?;
    let kept = config::kept_as(&source.content);
    let (old, new) = (config::bytes(source)?, config::size(&typed, kept));
    if kept == storage::Content::Block && new < old {
        return Err(Error::invalid("size", "a copy of a disk cannot be smaller than its source"));
    }
    Ok(())
}

/// Copies a volume.
pub async fn copy(
    world: &World,
    caller: &Caller,
    (pool, project, kind): (&str, &str, &str),
    post: StorageVolumesPost,
) -> Result<Operation> {
    super::custom(kind)?;
    caller.check_named(&post.source.project)?;
    match post.source.r#type.as_str() {
        "copy" if post.source.refresh && refresh::is_there(world, pool, project, &post.name)? => {
            return refresh::refresh(world, caller, pool, project, &post).await;
        }
        "copy" => {}
        "migration" => return Err(Error::Unsupported("migration")),
        other => return Err(Error::invalid("source type", format!("\"{other}\": copy"))),
    }
    let task = Copy::new(world, caller, pool, project, post)?;
    let to = task.target();
    create::check_free_on_disk(world, &to).await?;
    let request = to.request("Copying storage volume", caller).share(task.from.claim());
    world.submit(task, request)
}

async fn row(cx: &mut Cx<Copy>) -> Result<()> {
    let Copy { volume, snapshots, .. } = &*cx.input;
    create::write_rows(&cx.world, volume, snapshots).await
}

async fn delete_row(cx: &mut Cx<Copy>) -> Result<()> {
    create::delete_own_row(&cx.world, &cx.input.volume).await
}

async fn mounted(cx: &mut Cx<Copy>) -> Result<()> {
    if cx.input.snapshot.is_none() {
        let volume = cx.world.store.read(|db| cx.input.from.find(db))?;
        cx.notes = users::writers(&cx.world, &volume).await?;
    }
    Ok(())
}

async fn hold(cx: &mut Cx<Copy>) -> Result<()> {
    match !cx.input.snapshots.is_empty() && files(cx).await?.by_streams() {
        // Snapshots come first.
        true => Ok(()),
        false => pause::all(&cx.world, &cx.notes).await,
    }
}

/// They are paused no longer than they must.
async fn held_files(cx: &Cx<Copy>) -> Result<Files> {
    Ok(files(cx).await?.when_held(pause::until_held(&cx.world, cx.notes.clone())))
}

async fn go_on(cx: &mut Cx<Copy>) -> Result<()> {
    pause::all_go_on(&cx.world, &cx.notes).await
}

async fn files(cx: &Cx<Copy>) -> Result<Files> {
    let Copy { from, snapshot, volume, .. } = &*cx.input;
    open(&cx.world, from, snapshot.clone(), volume, &cx.control).await
}

/// The files of a volume that becomes `volume`.
pub(super) async fn open(
    world: &World,
    from: &Key,
    snapshot: Option<String>,
    volume: &Volume,
    control: &exec::Control,
) -> Result<Files> {
    let to = super::key_of(volume);
    let shape = config::shape(&volume.config, config::kept_as(&volume.content))?;
    // Every volume has a `_` after its project: none is called so.
    let uuid = volume.config.get("volatile.uuid").unwrap_or_default();
    let ends = Ends {
        from: (&from.pool, from.on_disk()?),
        snapshot,
        to: (&to.pool, to.on_disk()?),
        side: format!("new-{uuid}"),
    };
    Files::open(world, ends, shape, control).await
}

async fn whole(cx: &mut Cx<Copy>) -> Result<()> {
    held_files(cx).await?.whole(Snapshots::any(&cx.input.snapshots)).await
}

async fn delete_files(cx: &mut Cx<Copy>) -> Result<()> {
    create::delete_own_files(&cx.world, &cx.input.volume).await
}

async fn kept(cx: &mut Cx<Copy>) -> Result<()> {
    let files = held_files(cx).await?;
    if files.snapshots(cx.input.snapshots.iter().map(|one| &one.name)).await? {
        pause::all(&cx.world, &cx.notes).await?;
        files.refresh().await?;
    }
    Ok(())
}

async fn delete_side(cx: &mut Cx<Copy>) -> Result<()> {
    files(cx).await?.delete_side().await
}

async fn ready(cx: &mut Cx<Copy>) -> Result<()> {
    create::mark_ready(&cx.world, &cx.input.volume).await?;
    cx.input.target().tell(&cx.world, &cx.input.caller, "storage-volume-created");
    Ok(())
}
