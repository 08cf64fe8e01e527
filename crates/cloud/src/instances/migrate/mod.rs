//! Copies an instance between two servers: one is the source ([`send`]), the other the target ([`receive`]).
//!
//! ```text
//! source: held ─> packed as a backup ─> sent ─> told "done" ─> let go
//! target:                 received ─> [task: import] ─> tells "done"
//! ```
//! One that runs goes with its memory: [`depart`] and [`arrive`].
//!
//! All that changes state is the import's task, so what breaks off leaves nothing. A move is a copy after which the
//! client deletes the source. What is said on the websockets is in [`crate::migration`].

mod arrive;
mod depart;
mod receive;
mod send;

pub(crate) use self::{arrive::Arrive, depart::Depart};
pub use self::{receive::receive, send::send};

use std::io;

use tasks::{Operation, Socket};
use tempfile::TempPath;

use crate::{
    Error, Result, World,
    instances::streams::Stream,
    migration::{Link, Said},
};

/// A file for what is under way, which goes with whoever holds it, or at the daemon's next start.
fn between(world: &World) -> Result<TempPath> {
    let cache = world.dirs.cache();
    let file = tempfile::Builder::new().prefix("migration-").tempfile_in(&cache);
    Ok(file.map_err(Error::file("create", &cache))?.into_temp_path())
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
