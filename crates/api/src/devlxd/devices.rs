//! `/1.0/devices`: what the instance has, by name.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use cloud::{World, devlxd, instances::guests::Guest};
use wire::DevicesMap;

use super::Refused;

pub(super) async fn all(
    State(world): State<Arc<World>>,
    Extension(guest): Extension<Guest>,
) -> Result<Json<DevicesMap>, Refused> {
    Ok(Json(devlxd::devices(&world, &guest)?))
}
