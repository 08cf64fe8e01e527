//! Has an image be what its server has by that name now.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Request, Step, Task, step};

use super::{Age, Origin, alone, fetch, known, locate};
use crate::{
    Caller, Error, Result, World,
    db::images::{self as rows, Image},
    images::{delete::drop_all, got::Got},
    instances::Kind,
    url,
};

/// What is done to bring it up to date.
#[derive(Serialize, Deserialize)]
pub(crate) struct Refresh {
    caller: Caller,
    old: Image,
    origin: Origin,
}

/// Its notes hold the newer one, if there is one.
impl Task for Refresh {
    const KIND: &'static str = "image-refresh";
    type World = World;
    type Notes = Got;
    type Error = Error;

    fn steps() -> Vec<Step<Refresh>> {
        vec![
            step("fetch image", get).undo(drop_files),
            step("write row", row).point_of_no_return(),
            step("delete old image", drop_old),
        ]
    }
}

impl Refresh {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        fingerprint: &str,
    ) -> Result<Refresh> {
        let old = world.store.read(|db| crate::images::find(db, project, fingerprint))?;
        let origin = Origin::of_row(&old).ok_or_else(|| {
            Error::invalid(
                "image",
                format!("\"{fingerprint}\" is not one of another server by a name there"),
            )
        })?;
        Ok(Refresh { caller: caller.clone(), old, origin })
    }
}

/// Brings an image up to date.
pub fn refresh(
    world: &World,
    caller: &Caller,
    project: &str,
    fingerprint: &str,
) -> Result<Operation> {
    let task = Refresh::new(world, caller, project, fingerprint)?;
    let request = Request::new("Refreshing image")
        .project(project)
        .resource("images", url::of("images", &task.old.fingerprint, &task.old.project))
        .requestor(caller.requestor.clone())
        .lock(format!("image/{}/{}", task.old.project, task.old.fingerprint));
    world.submit(task, request)
}

async fn get(cx: &mut Cx<Refresh>) -> Result<()> {
    let (world, input) = (&cx.world, &cx.input);
    let (old, origin) = (&input.old, &input.origin);
    let _guard = alone(world, origin, &cx.control).await?;
    let kind = Kind::of(&old.kind);
    let located = locate(world, origin, (kind, Age::Now), &cx.control).await?;
    if located.fingerprint == old.fingerprint {
        return Ok(());
    }
    let known = known(world, &old.project, &located.fingerprint)?;
    cx.notes.known = known.is_some();
    let image = match known {
        Some(image) => image,
        None => fetch(world, &old.project, (origin, &located), &cx.control).await?,
    };
    let (cached, public, auto_update) = (old.cached, old.public, old.auto_update);
    cx.notes.image =
        Some(Image { cached, public, auto_update, last_used_at: old.last_used_at, ..image });
    Ok(())
}

async fn drop_files(cx: &mut Cx<Refresh>) -> Result<()> {
    cx.notes.drop_files(&cx.world).await
}

/// The new one takes the place of the old one, with all its names, at once.
async fn row(cx: &mut Cx<Refresh>) -> Result<()> {
    let old = &cx.input.old;
    cx.operation.set_metadata("refreshed", cx.notes.image.is_some());
    let Some(new) = &cx.notes.image else { return Ok(()) };
    cx.world
        .store
        .write(|db| {
            if rows::get(db, &new.project, &new.fingerprint)?.is_none() {
                rows::insert(db, new)?;
            }
            for alias in rows::aliases(db)? {
                if alias.project == old.project && alias.fingerprint == old.fingerprint {
                    rows::update_alias(db, alias.id, &new.fingerprint, &alias.description)?;
                }
            }
            Ok::<_, Error>(rows::delete(db, &old.project, &old.fingerprint)?)
        })
        .await?;
    let source = url::of("images", &new.fingerprint, &new.project);
    cx.world.tell(&cx.input.caller, &new.project, "image-refreshed", source);
    Ok(())
}

async fn drop_old(cx: &mut Cx<Refresh>) -> Result<()> {
    match &cx.notes.image {
        Some(_) => drop_all(&cx.world, &cx.input.old.fingerprint).await,
        None => Ok(()),
    }
}
