//! Gives an instance that is stopped a new root, of an image or empty. Options and devices stay.
//!
//! ```text
//! new root beside ─> old one set aside ─> new one in its place ─> row ─> old one deleted
//! ```
//! Until the last step all of it is taken back: there is the old root or the new.

use options::Raw;
use serde::{Deserialize, Serialize};
use storage::VolumeId;
use tasks::{Cx, Operation, Step, Task, step};
use wire::InstanceRebuildPost;

use super::{
    guests::Phase,
    options::Typed,
    root::NewRoot,
    templates::{self, Trigger},
};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        self, instance_snapshots as snapshots,
        instances::{self as rows, Instance},
    },
    expand,
    images::{self, Wanted},
    storage::OpenPool,
    url,
};

/// What is done to rebuild an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rebuild {
    caller: Caller,
    old: Instance,
    /// `None` makes an empty root.
    image: Option<Wanted>,
    #[serde(flatten)]
    root: NewRoot,
    /// The options of its volume as they are.
    #[serde(default)]
    old_config: Raw,
}

/// What the steps learn.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    image: Option<db::images::Image>,
}

impl Task for Rebuild {
    const KIND: &'static str = "instance-rebuild";
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Rebuild>> {
        vec![
            step("see that it is stopped", stopped),
            step("find image", image),
            step("make image volume", image_volume),
            step("make new root", root).undo(delete_new),
            step("set old root aside", aside).undo(aside_back),
            step("put new root in place", place).undo(place_back),
            step("write row", row).undo(row_back),
            step("delete old root", delete_old).point_of_no_return(),
            step("tell", tell),
        ]
    }
}

impl Rebuild {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        name: &str,
        post: &InstanceRebuildPost,
    ) -> Result<Rebuild> {
        let kind = world.store.read(|db| Ok::<_, Error>(super::find(db, project, name)?.kind()))?;
        let image = match post.source.r#type.as_str() {
            "image" => Some(Wanted::from_source(project, kind, &post.source)?),
            "none" => None,
            other => {
                return Err(Error::invalid("source type", format!("\"{other}\": image or none")));
            }
        };
        world.store.read(|db| {
            let old = super::find(db, project, name)?;
            let typed = Typed::parse_whole(&expand::expand(db, &old)?)?;
            if !snapshots::of_instance(db, old.id)?.is_empty() {
                let why = format!("snapshots of \"{name}\" are of its old root: delete them first");
                return Err(Error::invalid("rebuild", why));
            }
            image.iter().try_for_each(|wanted| wanted.check(db))?;
            let mut root = NewRoot::new(db, old.kind(), &typed)?;
            // Where it is, whatever its devices say.
            root.pool = super::snapshots::pool_of(db, project, name)?;
            Ok(Rebuild {
                caller: caller.clone(),
                root,
                old_config: super::root::options_of(db, &old)?,
                old,
                image,
            })
        })
    }
}

/// Gives an instance that is stopped a new root.
pub async fn rebuild(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    post: &InstanceRebuildPost,
) -> Result<Operation> {
    let task = Rebuild::new(world, caller, project, name, post)?;
    is_stopped(world, &task.old)?;
    let request = super::request(world, "Rebuilding instance", caller, project, name);
    world.submit(task, request)
}

fn is_stopped(world: &World, old: &Instance) -> Result<()> {
    match world.guests.get(&old.project, &old.name) {
        Some(guest) if guest.phase() != Phase::Gone => {
            let (name, hint) = (old.name.clone(), "stop it before rebuilding it");
            Err(Error::State { name, is: "running", hint })
        }
        _ => Ok(()),
    }
}

async fn stopped(cx: &mut Cx<Rebuild>) -> Result<()> {
    is_stopped(&cx.world, &cx.input.old)
}

async fn image(cx: &mut Cx<Rebuild>) -> Result<()> {
    let Some(wanted) = &cx.input.image else { return Ok(()) };
    let image = images::provide(&cx.world, wanted, &cx.control).await?;
    super::launch::fits(&image, cx.input.old.kind())?;
    cx.notes.image = Some(image);
    Ok(())
}

async fn image_volume(cx: &mut Cx<Rebuild>) -> Result<()> {
    let Some(image) = &cx.notes.image else { return Ok(()) };
    images::volume::ensure(&cx.world, &cx.input.root.pool, image, &cx.control).await
}

/// The root, and those beside it. No instance can be called so.
struct Roots {
    pool: OpenPool,
    root: VolumeId,
    new: VolumeId,
    old: VolumeId,
}

impl Roots {
    async fn open(cx: &Cx<Rebuild>) -> Result<Roots> {
        let root = cx.input.old.root()?;
        let beside = |end: &str| VolumeId::new(root.kind, format!("{}@{end}", root.name));
        let (new, old) = (beside("new")?, beside("old")?);
        Ok(Roots {
            pool: cx.world.pools.open(&cx.world, &cx.input.root.pool).await?,
            root,
            new,
            old,
        })
    }

    /// Renames one if it is there and the other is not.
    fn rename(&self, from: &VolumeId, to: &VolumeId) -> storage::Result<()> {
        match self.pool.exists(from)? && !self.pool.exists(to)? {
            true => self.pool.rename(from, to),
            false => Ok(()),
        }
    }
}

async fn root(cx: &mut Cx<Rebuild>) -> Result<()> {
    let roots = Roots::open(cx).await?;
    let source = cx.notes.image.as_ref().map(images::volume::id).transpose()?;
    let shape = cx.input.root.shape(cx.input.old.kind())?;
    let control = cx.control.clone();
    blocking("make root volume", move || {
        let Roots { pool, new, .. } = &roots;
        if pool.exists(new)? {
            return Ok(());
        }
        match (source, pool.clones()) {
            (Some(image), Some(clones)) => clones.clone_from(&image, new, &shape, &control),
            (Some(image), None) => {
                let (from, to) = ((&**pool, &image), (&**pool, new));
                storage::fallback::copy_volume(from, to, &shape, &control)
            }
            (None, _) => pool.create(new, &shape, None, &control),
        }
    })
    .await
}

async fn delete_new(cx: &mut Cx<Rebuild>) -> Result<()> {
    let roots = Roots::open(cx).await?;
    blocking("delete new root", move || roots.pool.delete(&roots.new)).await
}

async fn aside(cx: &mut Cx<Rebuild>) -> Result<()> {
    let roots = Roots::open(cx).await?;
    blocking("set old root aside", move || roots.rename(&roots.root, &roots.old)).await
}

async fn aside_back(cx: &mut Cx<Rebuild>) -> Result<()> {
    let roots = Roots::open(cx).await?;
    blocking("put old root back", move || roots.rename(&roots.old, &roots.root)).await
}

async fn place(cx: &mut Cx<Rebuild>) -> Result<()> {
    let roots = Roots::open(cx).await?;
    blocking("put new root in place", move || roots.rename(&roots.new, &roots.root)).await
}

async fn place_back(cx: &mut Cx<Rebuild>) -> Result<()> {
    let roots = Roots::open(cx).await?;
    blocking("set new root aside", move || match roots.pool.exists(&roots.old)? {
        true => roots.rename(&roots.root, &roots.new),
        // The root is still the old one.
        false => Ok(()),
    })
    .await
}

async fn put(cx: &Cx<Rebuild>, new: &Instance, config: &Raw) -> Result<()> {
    let written = cx.world.store.write(|db| {
        let home = crate::profiles::home(db, &new.project)?;
        super::root::set_options(db, new, config)?;
        rows::set_stateful(db, new.id, new.stateful)?;
        Ok::<_, Error>(rows::update(db, new, &home)?)
    });
    written.await
}

/// Options of the old image give way to those of the new.
async fn row(cx: &mut Cx<Rebuild>) -> Result<()> {
    const BASE: &str = "volatile.base_image";
    let mut new = Instance { stateful: false, ..cx.input.old.clone() };
    new.config.retain(|key, _| !key.starts_with("image.") && key != BASE);
    if let Some(image) = &cx.notes.image {
        for (key, value) in &image.properties {
            new.config.set(format!("image.{key}"), value.clone());
        }
        new.config.set(BASE, image.fingerprint.clone());
        new.architecture.clone_from(&image.architecture);
    }
    templates::defer(&mut new.config, Trigger::Create);
    put(cx, &new, &cx.input.root.config).await
}

async fn row_back(cx: &mut Cx<Rebuild>) -> Result<()> {
    put(cx, &cx.input.old, &cx.input.old_config).await
}

async fn delete_old(cx: &mut Cx<Rebuild>) -> Result<()> {
    let roots = Roots::open(cx).await?;
    blocking("delete old root", move || roots.pool.delete(&roots.old)).await
}

async fn tell(cx: &mut Cx<Rebuild>) -> Result<()> {
    let Rebuild { caller, old, .. } = &*cx.input;
    let source = url::instance(&old.project, &old.name);
    cx.world.tell(caller, &old.project, "instance-rebuilt", source);
    Ok(())
}
