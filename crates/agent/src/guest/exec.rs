//! Programs: started, fed, listened to, waited for. Each stream of one is a request of its own, so
//! that one which nobody reads holds up no other.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hyper::{Request, body::Incoming};

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
    next: AtomicU64,
    running: Mutex<BTreeMap<u64, Arc<Running>>>,
}

impl Programs {
    pub(super) fn get(&self, id: u64) -> Option<Arc<Running>> {
        self.all().get(&id).cloned()
    }

    fn add(&self, program: Arc<Running>) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.all().insert(id, program);
        id
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn start(programs: &Programs, request: Request<Incoming>) -> Reply {
    let start: Start = reply::read(request).await?;
    if programs.all().len() >= limits::PROGRAMS {
        let error = io::Error::from(rustix::io::Errno::AGAIN);
        return Err(Refusal::at("start", "one more program", &error));
    }
    let born = blocking(move || program::start(&start.spec, start.null)).await?;
    let program =
        program::follow(born).map_err(|error| Refusal::at("follow", "program", &error))?;
    let pid = program.pid;
    reply::json(&Started { id: programs.add(program), pid })
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
    programs.all().remove(&id);
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
