//! Programs: started, fed, listened to, waited for. Each stream of one is a request of its own, so
//! that one which nobody reads holds up no other.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hyper::{Request, body::Incoming};
use rustix::io::Errno;
use tokio::{sync::watch, time::timeout};

use super::{
    program::{self, Running},
    reply::{self, Refusal, Reply, blocking},
};
use crate::{
    body::Body,
    limits,
    words::{Control, Ended, Start, Started},
};

/// Those of one connection.
#[derive(Default)]
pub(super) struct Programs {
    /// For those that the daemon does not number.
    next: AtomicU64,
    all: watch::Sender<BTreeMap<u64, Place>>,
}

/// A number that is taken.
#[derive(Clone)]
enum Place {
    /// It is being started.
    Starting,
    /// It was started.
    Running(Arc<Running>),
    /// It was not.
    Failed,
}

impl Programs {
    /// A program, once it was started. Its streams may be asked for before that.
    pub(super) async fn get(&self, id: u64) -> Option<Arc<Running>> {
        let known = |all: &BTreeMap<u64, Place>| match all.get(&id) {
            None | Some(Place::Starting) => None,
            Some(Place::Running(program)) => Some(Some(program.clone())),
            Some(Place::Failed) => Some(None),
        };
        let mut all = self.all.subscribe();
        let found = async {
            let all = all.wait_for(|all| known(all).is_some()).await.ok()?;
            known(&all)?
        };
        timeout(limits::WORK.time, found).await.ok()?
    }

    /// Takes a number.
    fn claim(&self, id: u64) -> Result<(), Refusal> {
        let mut claimed = Err(Errno::AGAIN);
        self.all.send_if_modified(|all| {
            claimed = if all.contains_key(&id) {
                Err(Errno::EXIST)
            } else if all.len() >= limits::PROGRAMS {
                Err(Errno::AGAIN)
            } else {
                all.insert(id, Place::Starting);
                Ok(())
            };
            false
        });
        claimed.map_err(|errno| Refusal::at("start", "one more program", &io::Error::from(errno)))
    }

    fn set(&self, id: u64, place: Place) {
        self.all.send_modify(|all| {
            // Whoever has let go of it meanwhile wants nothing more.
            if let Some(old) = all.get_mut(&id) {
                *old = place;
            }
        });
    }
}

/// One to which the agent gives a number.
pub(super) async fn start(programs: &Programs, request: Request<Incoming>) -> Reply {
    let id = programs.next.fetch_add(1, Ordering::Relaxed);
    let started = start_as(programs, id, request).await;
    if started.is_err() {
        forget(programs, id)?;
    }
    started
}

/// One that the daemon has given a number, which it has to forget however this ends.
pub(super) async fn start_as(programs: &Programs, id: u64, request: Request<Incoming>) -> Reply {
    programs.claim(id)?;
    let begun = begin(request).await;
    let place = begun.as_ref().map_or(Place::Failed, |program| Place::Running(program.clone()));
    programs.set(id, place);
    reply::json(&Started { id, pid: begun?.pid })
}

async fn begin(request: Request<Incoming>) -> Result<Arc<Running>, Refusal> {
    let start: Start = reply::read(request).await?;
    let born = blocking(move || program::start(&start.spec, start.null)).await?;
    program::follow(born).map_err(|error| Refusal::at("follow", "program", &error))
}

/// Answered at its end, or when the program takes no more.
pub(super) async fn input(program: &Running, request: Request<Incoming>) -> Reply {
    reply::pour(request, program.take_input().ok_or(Refusal::Unknown)?).await
}

pub(super) fn output(program: &Running, which: usize) -> Reply {
    program.take_output(which).map_or(Err(Refusal::Unknown), |out| reply::stream(Body::Pieces(out)))
}

pub(super) async fn wait(program: &Running) -> Reply {
    reply::json(&Ended { code: program.ended().await })
}

/// Nobody wants to know of it any more. It goes on; what it writes is thrown away.
pub(super) fn forget(programs: &Programs, id: u64) -> Reply {
    programs.all.send_if_modified(|all| all.remove(&id).is_none());
    reply::done()
}

pub(super) async fn control(program: &Running, request: Request<Incoming>) -> Reply {
    let done = match reply::read(request).await? {
        Control::Signal(signal) => program.signal(signal),
        Control::Resize(width, height) => program.resize(width, height),
    };
    done.map_err(|error| Refusal::at("control", program.pid.to_string(), &error))?;
    reply::done()
}
