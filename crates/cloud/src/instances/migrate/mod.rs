//! Copies an instance between two servers: one is the source ([`send`]), the other the target ([`receive`]).
//!
//! ```text
//! source: held ─> packed as a backup ─> sent ─> told "done" ─> let go
//! target:                 received ─> [task: import] ─> tells "done"
//! ```
//! One that runs goes with its memory: [`depart`] and [`arrive`]. Between members of one cluster the row goes along:
//! [`leave`] and [`settle`]; one that runs leaves its disks where they are, if both reach them: [`stay`] and [`land`].
//!
//! All that changes state is the import's task, so what breaks off leaves nothing. A move is a copy after which the
//! client deletes the source. What is said on the websockets is in [`crate::migration`].

mod arrive;
mod copied;
mod depart;
mod flow;
mod incoming;
mod land;
mod leave;
mod moves;
mod receive;
mod resettle;
mod send;
mod settle;
mod stay;
mod tied;

#[cfg(test)]
pub(crate) use self::receive::announced;
pub(crate) use self::{
    arrive::Arrive,
    depart::Depart,
    land::Land,
    leave::Leave,
    moves::Moving,
    resettle::{resettle, start_there, stop_cleanly},
    tied::ties,
};
pub use self::{
    copied::copy_to_member, leave::to_member, receive::receive, send::send, settle::from_member,
};

use std::{io, sync::Arc};

use tasks::{Operation, Request, Socket, Task};
use tempfile::TempPath;
use uuid::Uuid;

use crate::{
    Error, Result, World,
    instances::streams::Stream,
    migration::{Link, Said, Voyage},
};

/// A file for what is under way, which goes with whoever holds it, or at the daemon's next start.
fn between(world: &World) -> Result<Arc<TempPath>> {
    let cache = world.dirs.cache();
    let file = tempfile::Builder::new().prefix("migration-").tempfile_in(&cache);
    Ok(Arc::new(file.map_err(Error::file("create", &cache))?.into_temp_path()))
}

/// Work that ends when somebody cancels the operation.
async fn cancellable<T>(operation: &Operation, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = operation.cancelled() => Err(exec::Cancelled.into()),
    }
}

/// Tells the other end why this one gives up.
async fn told<T>(link: &Link, done: Result<T>) -> Result<T> {
    if let Err(error) = &done {
        let why = tasks::chain(error);
        // Who is gone needs to know nothing.
        let _ = link.tell(&Said::Failed { why }).await;
    }
    done
}

/// Has a task done that speaks by a link, and is known by that number; tells the other end if it fails. The link is for
/// the farewell.
async fn sail<T: Task<World = World>>(
    world: &World,
    task: Result<(Uuid, T)>,
    request: Request,
    voyage: Voyage,
) -> Result<(Link, Result<()>)> {
    let (id, task) = match task {
        Ok(task) => task,
        Err(error) => return told(&voyage.link, Err(error)).await,
    };
    world.voyages.put(id, voyage);
    let done = match world.submit(task, request) {
        Ok(inner) => inner.result().await.map_err(Error::failed),
        Err(error) => Err(error),
    };
    let Voyage { link, .. } = world.voyages.take(id)?;
    let done = told(&link, done).await;
    Ok((link, done))
}

/// Carries both ways between one of QEMU's sockets and the other server's, until one of them ends.
async fn carry(stream: &Stream, socket: Socket) {
    let Socket { mut incoming, outgoing } = socket;
    tokio::select! {
        () = stream.pump_out(&outgoing, std::future::pending()) => {}
        () = stream.pump_in(&mut incoming) => {}
    }
}

fn unheard(source: io::Error) -> Error {
    vm::Error::Socket { action: "talk by", source }.into()
}
