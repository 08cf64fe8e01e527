//! Changes options of the server by which depots move.
//!
//! ```text
//! copy to the new place ─> options written ─> old files deleted
//!  └ undo: deleted there    └ undo: written back   only forward
//! ```
//! Nobody reads or writes what moves meanwhile; nobody uses, renames or deletes the volumes.

use std::path::PathBuf;

use options::{Options, Raw, server::ServerOptions};
use serde::{Deserialize, Serialize};
use store::Write;
use tasks::{Cx, Operation, Request, Step, Task, step};

use super::{Depot, attach, check, contents, find, on};
use crate::{Caller, Error, Result, World, blocking::blocking, db::server as rows, volumes::Key};

/// What is done to change them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Change {
    /// The options as they were.
    before: Raw,
    /// As they are to be.
    after: Raw,
    moves: Vec<Move>,
}

/// A depot that moves; `None` is the server's own folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Move {
    depot: Depot,
    from: Option<Key>,
    to: Option<Key>,
    /// The volume where it was is gone, and all that was on it: as when another machine takes a member's place.
    lost: bool,
}

impl Task for Change {
    const KIND: &'static str = "depot-change";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Change>> {
        vec![
            step("make folders", make).undo(unmake),
            step("copy files", copy).undo(clear_new),
            step("write options", write).undo(write_back),
            step("delete old files", clear_old).point_of_no_return(),
        ]
    }
}

impl Change {
    /// The change of these options, if a depot moves by it.
    ///
    /// # Errors
    /// A volume cannot be one, or what is to be moved is not there.
    pub(crate) fn new(world: &World, before: &Raw, after: &Raw) -> Result<Option<Change>> {
        let [old, new] = [before, after].map(ServerOptions::parse_known);
        let (old, new) = (old?, new?);
        let mut moves = Vec::new();
        for depot in Depot::ALL {
            let (from, to) = (depot.named(&old), depot.named(&new));
            if from != to {
                moves.push(Move { depot, from, to, lost: false });
            }
        }
        world.store.read(|db| {
            for one in &mut moves {
                if let Some(to) = &one.to {
                    check::check(db, one.depot, to)?;
                }
                one.lost = match &one.from {
                    Some(from) => from.row(db)?.is_none(),
                    None => false,
                };
                if !one.lost {
                    world.depots.path(one.depot)?;
                }
            }
            Ok::<_, Error>(())
        })?;
        let (before, after) = (before.clone(), after.clone());
        Ok((!moves.is_empty()).then_some(Change { before, after, moves }))
    }

    /// Writes what differs between `from` and `to` over what is there.
    fn apply(db: &mut Write<'_>, from: &Raw, to: &Raw) -> Result<()> {
        let mut now = rows::get(db)?;
        let keys: std::collections::BTreeSet<&str> = from.keys().chain(to.keys()).collect();
        for key in keys.into_iter().filter(|key| from.get(key) != to.get(key)) {
            if now.get(key) == to.get(key) {
                continue;
            }
            if now.get(key) != from.get(key) {
                let (what, name) = ("server option", key.to_owned());
                return Err(Error::Changed { what, name });
            }
            match to.get(key) {
                Some(value) => now.set(key, value),
                None => drop(now.remove(key)),
            }
        }
        ServerOptions::parse(&now)?;
        Ok(rows::replace(db, &now)?)
    }

    fn request(&self, caller: &Caller) -> Request {
        let request = Request::new("Moving images or backups").requestor(caller.requestor.clone());
        let volumes = self.moves.iter().flat_map(|one| one.from.iter().chain(&one.to));
        let mut claims: Vec<String> = volumes.map(Key::claim).collect();
        claims.extend(self.depots());
        claims.sort();
        claims.dedup();
        claims.into_iter().fold(request, Request::lock)
    }

    fn depots(&self) -> Vec<String> {
        self.moves.iter().map(|one| one.depot.claim()).collect()
    }
}

/// Begins a change of options by which depots move; `None` where none does. Who works with their files is waited for.
pub(crate) async fn submit(
    world: &World,
    caller: &Caller,
    before: &Raw,
    after: &Raw,
) -> Result<Option<Operation>> {
    loop {
        let Some(task) = Change::new(world, before, after)? else { return Ok(None) };
        let (request, depots) = (task.request(caller), task.depots());
        match world.submit(task, request) {
            // Waited for without the volumes: who has one may be about to write a backup.
            Err(Error::Task(tasks::Error::Busy(busy))) if depots.contains(&busy.name) => {
                let claims: Vec<_> = depots.into_iter().map(tasks::Claim::alone).collect();
                drop(world.locks().lock(&claims, "a move of images or backups").await);
            }
            begun => return begun.map(Some),
        }
    }
}

async fn make(cx: &mut Cx<Change>) -> Result<()> {
    for Move { depot, to, .. } in &cx.input.moves {
        let Some(to) = to else { continue };
        let folder = attach(&cx.world, to).await?.join(depot.folder());
        let key = depot.key();
        blocking("make folder", move || contents::make(&folder, key)).await?;
    }
    Ok(())
}

/// What stands in a folder of another's is not touched: there it has no mark.
async fn unmake(cx: &mut Cx<Change>) -> Result<()> {
    clear_new(cx).await
}

async fn copy(cx: &mut Cx<Change>) -> Result<()> {
    for one in cx.input.moves.iter().filter(|one| !one.lost) {
        let from = place(&cx.world, one.depot, one.from.as_ref()).await?;
        let to = place(&cx.world, one.depot, one.to.as_ref()).await?;
        let control = cx.control.clone();
        blocking("copy files", move || contents::copy(&from, &to, &control)).await?;
    }
    Ok(())
}

/// Where a depot is that lies there.
async fn place(world: &World, depot: Depot, volume: Option<&Key>) -> Result<PathBuf> {
    match volume {
        None => Ok(depot.own(&world.dirs)),
        Some(volume) => on(world, volume, depot).await,
    }
}

async fn clear_new(cx: &mut Cx<Change>) -> Result<()> {
    let input = cx.input.clone();
    // Asked by a write: it is told of all that was written before it, wherever.
    let now = cx.world.store.write(|db| Ok::<_, Error>(rows::get(db)?)).await?;
    for Move { depot, to, lost, .. } in &input.moves {
        if now.get(depot.key()) != input.before.get(depot.key()) {
            let (what, name) = ("server option", depot.key().to_owned());
            return Err(Error::Changed { what, name });
        }
        // What is in the server's own folder is no copy of what is lost.
        if to.is_some() || !lost {
            clear(&cx.world, *depot, to.as_ref()).await;
        }
    }
    Ok(())
}

async fn write(cx: &mut Cx<Change>) -> Result<()> {
    let input = cx.input.clone();
    let written = cx.world.store.write(|db| {
        for Move { depot, to, .. } in &input.moves {
            if let Some(to) = to {
                check::check(db, *depot, to)?;
            }
        }
        Change::apply(db, &input.before, &input.after)
    });
    written.await?;
    for one in &input.moves {
        find(&cx.world, one.depot).await?;
        // The old files are deleted next.
        cx.world.depots.path(one.depot)?;
    }
    Ok(())
}

async fn write_back(cx: &mut Cx<Change>) -> Result<()> {
    let input = cx.input.clone();
    let back = cx.world.store.write(|db| match Change::apply(db, &input.after, &input.before) {
        // Somebody has set another value since.
        Err(Error::Changed { .. }) => Ok(()),
        done => done,
    });
    back.await?;
    for one in &input.moves {
        find(&cx.world, one.depot).await?;
    }
    Ok(())
}

async fn clear_old(cx: &mut Cx<Change>) -> Result<()> {
    for Move { depot, from, .. } in cx.input.moves.iter().filter(|one| !one.lost) {
        clear(&cx.world, *depot, from.as_ref()).await;
    }
    Ok(())
}

/// Deletes what of a depot lies where it is not. What cannot be deleted stays, and hinders nobody: a depot that comes
/// there again is copied over it.
async fn clear(world: &World, depot: Depot, volume: Option<&Key>) {
    let cleared = async {
        let folder = match volume {
            None => return cleared_own(world, depot).await,
            Some(volume) => match on(world, volume, depot).await {
                Err(Error::NotFound { .. }) => return Ok(()),
                found => found?,
            },
        };
        blocking("delete files", move || {
            contents::clear(&folder)?;
            crate::disk::remove_folder(&folder)
        })
        .await
    };
    if let Err(error) = cleared.await {
        let error = tasks::chain(&error);
        tracing::warn!(depot = depot.folder(), error, "files are left where it is no more");
    }
}

/// The folders stay.
async fn cleared_own(world: &World, depot: Depot) -> Result<()> {
    let (folder, dirs) = (depot.own(&world.dirs), world.dirs.clone());
    blocking("delete files", move || {
        contents::clear(&folder)?;
        dirs.make().map_err(Error::file("make", &folder))
    })
    .await
}
