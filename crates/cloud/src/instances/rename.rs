//! Renames an instance with its disk.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};

use super::{
    Kind,
    options::Typed,
    templates::{self, Trigger},
    volatile,
};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{instances as rows, volumes},
    expand,
    networks::hosts,
    url,
};

/// What is done to rename an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rename {
    caller: Caller,
    project: String,
    from: String,
    to: String,
    pool: String,
    #[serde(default)]
    kind: Kind,
    /// Whether its templates are yet to be told of something before.
    #[serde(default)]
    pending: bool,
}

impl Task for Rename {
    const KIND: &'static str = "instance-rename";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Rename>> {
        vec![
            step("rename root volume", volume).undo(volume_back),
            step("move backups", backups).undo(backups_back),
            step("delete logs", logs),
            step("rename row", row).undo(row_back),
        ]
    }
}

impl Rename {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        from: &str,
        to: &str,
    ) -> Result<Rename> {
        options::names::check_instance(to).map_err(|why| Error::invalid("instance name", why))?;
        super::backups::check_reached(world, project, from)?;
        let (pool, kind, pending) = world.store.read(|db| {
            let row = super::find(db, project, from)?;
            if rows::get(db, project, to)?.is_some() {
                return Err(Error::exists("instance", to));
            }
            let typed = Typed::parse(&expand::expand(db, &row)?)?;
            let pending = row.config.keys().any(templates::is_pending);
            Ok((typed.root_pool()?.to_owned(), row.kind(), pending))
        })?;
        let (caller, project) = (caller.clone(), project.to_owned());
        let (from, to) = (from.to_owned(), to.to_owned());
        Ok(Rename { caller, project, from, to, pool, kind, pending })
    }
}

/// Renames an instance that is stopped.
pub async fn rename(
    world: &World,
    caller: &Caller,
    project: &str,
    from: &str,
    to: &str,
) -> Result<Operation> {
    let task = Rename::new(world, caller, project, from, to)?;
    if world.guests.get(project, from).is_some() {
        let (name, hint) = (from.to_owned(), "stop it before renaming it");
        return Err(Error::State { name, is: "running", hint });
    }
    let request = super::request(world, "Renaming instance", caller, project, from)
        .lock(super::lock_name(project, to));
    world.submit(task, request)
}

async fn move_volume(cx: &Cx<Rename>, from: &str, to: &str) -> Result<()> {
    let pool = cx.world.pools.open(&cx.world, &cx.input.pool).await?;
    let Rename { project, kind, .. } = &*cx.input;
    let (from, to) = (kind.root(project, from)?, kind.root(project, to)?);
    let moved = move || match pool.exists(&from)? {
        true => pool.rename(&from, &to),
        false => Ok(()),
    };
    blocking("rename root volume", moved).await
}

async fn volume(cx: &mut Cx<Rename>) -> Result<()> {
    move_volume(cx, &cx.input.from, &cx.input.to).await
}

async fn volume_back(cx: &mut Cx<Rename>) -> Result<()> {
    move_volume(cx, &cx.input.to, &cx.input.from).await
}

async fn move_backups(cx: &Cx<Rename>, from: &str, to: &str) -> Result<()> {
    let project = cx.input.project.as_str();
    super::backups::follow(&cx.world, (project, from), (project, to)).await
}

async fn backups(cx: &mut Cx<Rename>) -> Result<()> {
    move_backups(cx, &cx.input.from, &cx.input.to).await
}

async fn backups_back(cx: &mut Cx<Rename>) -> Result<()> {
    move_backups(cx, &cx.input.to, &cx.input.from).await
}

async fn logs(cx: &mut Cx<Rename>) -> Result<()> {
    super::delete::remove_folders(&cx.world, &cx.input.project, &cx.input.from).await
}

async fn move_row(cx: &Cx<Rename>, from: &str, to: &str) -> Result<()> {
    let (project, kind) = (cx.input.project.as_str(), cx.input.kind);
    cx.world
        .store
        .write(|db| {
            if let Some(volume) = volumes::of_instance(db, project, kind.word(), from)? {
                volumes::rename(db, volume.id, to)?;
            }
            if let Some(row) = rows::get(db, project, from)? {
                let mut config = row.config.clone();
                volatile::forget_links(&mut config);
                match to == cx.input.to {
                    true => templates::defer(&mut config, Trigger::Rename),
                    false if !cx.input.pending => templates::done(&mut config),
                    false => {}
                }
                rows::set_config(db, row.id, &config)?;
                rows::rename(db, row.id, to)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    // Its names on networks are others from now on.
    hosts::tell_of(&cx.world, project, from)?;
    hosts::tell_of(&cx.world, project, to)
}

async fn row(cx: &mut Cx<Rename>) -> Result<()> {
    move_row(cx, &cx.input.from, &cx.input.to).await?;
    let (project, to) = (&cx.input.project, &cx.input.to);
    cx.world.tell(&cx.input.caller, project, "instance-renamed", url::instance(project, to));
    Ok(())
}

async fn row_back(cx: &mut Cx<Rename>) -> Result<()> {
    move_row(cx, &cx.input.to, &cx.input.from).await
}
