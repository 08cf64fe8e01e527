//! `/1.0/config`: the options that are for the instance's eyes, each as plain text.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use cloud::{World, devlxd, instances::guests::Guest};

use super::Refused;

pub(super) async fn list(
    State(world): State<Arc<World>>,
    Extension(guest): Extension<Guest>,
) -> Result<Json<Vec<String>>, Refused> {
    let keys = devlxd::config(&world, &guest)?.into_keys();
    Ok(Json(keys.map(|key| format!("/1.0/config/{key}")).collect()))
}

pub(super) async fn one(
    State(world): State<Arc<World>>,
    Extension(guest): Extension<Guest>,
    Path(key): Path<String>,
) -> Result<String, Refused> {
    Ok(devlxd::key(&world, &guest, &key)?)
}
