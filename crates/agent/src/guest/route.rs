//! Which request is for whom.

use std::{convert::Infallible, path::Path, sync::Arc};

use hyper::{Method, Request, Response, body::Incoming};

use super::{
    exec::{self, Programs},
    files::{self, Accesses},
    info, nics,
    reply::{Refusal, Reply},
    shares, state,
    visitors::{self, Visitors},
};
use crate::body::Body;

/// What belongs to one connection, and ends with it.
pub(super) struct Session {
    programs: Programs,
    accesses: Accesses,
    visitors: Visitors,
}

impl Session {
    pub(super) fn new(visitors: &Path) -> Session {
        Session {
            programs: Programs::default(),
            accesses: Accesses::default(),
            visitors: Visitors::new(visitors),
        }
    }
}

pub(super) async fn answer(
    session: Arc<Session>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    Ok(route(&session, request).await.unwrap_or_else(Refusal::response))
}

async fn route(session: &Session, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method(), &parts[..]) {
        (&Method::GET, ["1.0"]) => info::get().await,
        (&Method::GET, ["1.0", "state"]) => state::get().await,
        (&Method::GET, ["1.0", "metrics"]) => state::metrics::get().await,
        (&Method::PUT, ["1.0", "clock"]) => info::set_clock(request).await,
        (&Method::PUT, ["1.0", "shares"]) => shares::put(request).await,
        (&Method::DELETE, ["1.0", "shares"]) => shares::delete(request).await,
        (&Method::PUT, ["1.0", "nics"]) => nics::put(request).await,
        (&Method::POST, ["1.0", "exec"]) => exec::start(&session.programs, request).await,
        (&Method::POST, ["1.0", "files"]) => files::begin(&session.accesses, request).await,
        (&Method::POST, ["1.0", "visitors"]) => visitors::wait(&session.visitors).await,
        (&Method::DELETE, ["1.0", "visitors"]) => visitors::close(&session.visitors),
        (_, ["1.0", "visitors", id, what @ ..]) => {
            visitor(&session.visitors, number(id)?, what, request).await
        }
        (_, ["1.0", "exec", id, what @ ..]) => program(session, number(id)?, what, request).await,
        (_, ["1.0", "files", id, what @ ..]) => file(session, number(id)?, what, request).await,
        _ => Err(Refusal::Unknown),
    }
}

fn number(id: &str) -> Result<u64, Refusal> {
    id.parse().map_err(|_| Refusal::Unknown)
}

async fn program(session: &Session, id: u64, what: &[&str], request: Request<Incoming>) -> Reply {
    match (request.method(), what) {
        (&Method::PUT, []) => return exec::start_as(&session.programs, id, request).await,
        (&Method::DELETE, []) => return exec::forget(&session.programs, id),
        _ => {}
    }
    let program = session.programs.get(id).await.ok_or(Refusal::Unknown)?;
    match (request.method(), what) {
        (&Method::PUT, ["0"]) => exec::input(&program, request).await,
        (&Method::GET, ["1"]) => exec::output(&program, 0),
        (&Method::GET, ["2"]) => exec::output(&program, 1),
        (&Method::GET, ["wait"]) => exec::wait(&program).await,
        (&Method::POST, ["control"]) => exec::control(&program, request).await,
        _ => Err(Refusal::Unknown),
    }
}

async fn file(session: &Session, id: u64, what: &[&str], request: Request<Incoming>) -> Reply {
    let access = session.accesses.get(id).ok_or(Refusal::Unknown)?;
    match (request.method(), what) {
        (&Method::DELETE, []) => files::end(&session.accesses, id),
        (&Method::POST, []) => files::ask(access, request).await,
        (&Method::GET, ["content"]) => files::contents(&access).await,
        (&Method::PUT, ["content"]) => files::write(&access, request).await,
        _ => Err(Refusal::Unknown),
    }
}

async fn visitor(visitors: &Visitors, id: u64, what: &[&str], request: Request<Incoming>) -> Reply {
    match (request.method(), what) {
        (&Method::DELETE, []) => visitors::forget(visitors, id),
        (&Method::PUT, ["0"]) => visitors::tell(visitors, id, request).await,
        (&Method::GET, ["1"]) => visitors::hear(visitors, id),
        _ => Err(Refusal::Unknown),
    }
}
