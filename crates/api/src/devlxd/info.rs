//! `/` and `/1.0`: what there is, and whether the instance is ready.

use std::sync::Arc;

use axum::{Extension, Json, body::Body, extract::State, http::Request};
use cloud::{World, devlxd, instances::guests::Guest};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refused;
use crate::routes::to_its_end;

/// Bytes of a change.
const BODY: usize = 4 << 10;

pub(super) async fn versions() -> Json<Value> {
    Json(json!(["/1.0"]))
}

pub(super) async fn about(
    State(world): State<Arc<World>>,
    Extension(guest): Extension<Guest>,
) -> Json<Value> {
    let about = devlxd::about(&world, &guest);
    Json(json!({
        "api_version": "1.0",
        "location": about.location,
        "instance_type": if about.machine { "virtual-machine" } else { "container" },
        "state": if about.ready { "Ready" } else { "Started" },
    }))
}

/// What an instance says of itself.
#[derive(Deserialize)]
struct Change {
    state: Said,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Said {
    Started,
    Ready,
}

pub(super) async fn change(
    State(world): State<Arc<World>>,
    Extension(guest): Extension<Guest>,
    request: Request<Body>,
) -> Result<(), Refused> {
    let body = Limited::new(request.into_body(), BODY).collect().await;
    let body = body.map_err(|_| Refused::bad("the body is too large, or broke off"))?.to_bytes();
    let Change { state } = serde_json::from_slice(&body)
        .map_err(|_| Refused::bad("the state is \"Started\" or \"Ready\""))?;
    let done =
        to_its_end(
            async move { Ok(devlxd::set_state(&world, &guest, state == Said::Ready).await?) },
        );
    done.await.map_err(|error| match error {
        crate::error::Error::Cloud(error) => error.into(),
        _ => Refused::BROKEN,
    })
}
