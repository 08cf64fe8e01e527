//! `/1.0/meta-data`: what cloud-init asks its cloud.

use std::sync::Arc;

use axum::{Extension, extract::State};
use cloud::{World, devlxd, instances::guests::Guest};

use super::Refused;

pub(super) async fn text(
    State(world): State<Arc<World>>,
    Extension(guest): Extension<Guest>,
) -> Result<String, Refused> {
    Ok(devlxd::meta_data(&world, &guest)?)
}
