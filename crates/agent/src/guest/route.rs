//! Which request is for whom.

use std::{convert::Infallible, sync::Arc};

use hyper::{Method, Request, Response, body::Incoming};

use super::{
    exec::{self, Programs},
    info,
    reply::{Refusal, Reply},
    state,
};
use crate::body::Body;

/// What belongs to one connection, and ends with it.
#[derive(Default)]
pub(super) struct Session {
    pub(super) programs: Programs,
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
        (&Method::PUT, ["1.0", "clock"]) => info::set_clock(request).await,
        (&Method::POST, ["1.0", "exec"]) => exec::start(&session.programs, request).await,
        (&Method::DELETE, ["1.0", "exec", id]) => {
            let id = id.parse().map_err(|_| Refusal::Unknown)?;
            exec::forget(&session.programs, id)
        }
        (method, ["1.0", "exec", id, what]) => {
            let id = id.parse().map_err(|_| Refusal::Unknown)?;
            let program = session.programs.get(id).ok_or(Refusal::Unknown)?;
            match (method, *what) {
                (&Method::PUT, "0") => exec::input(&program, request).await,
                (&Method::GET, "1") => exec::output(&program, 0),
                (&Method::GET, "2") => exec::output(&program, 1),
                (&Method::GET, "wait") => exec::wait(&program).await,
                (&Method::POST, "control") => exec::control(&program, request).await,
                _ => Err(Refusal::Unknown),
            }
        }
        _ => Err(Refusal::Unknown),
    }
}
