//! `/1.0/images/{fingerprint}/export`: images of the server, for a server within the instance.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use cloud::{World, devlxd, instances::guests::Guest};

use super::Refused;
use crate::images;

pub(super) async fn export(
    State(world): State<Arc<World>>,
    Extension(guest): Extension<Guest>,
    Path(fingerprint): Path<String>,
) -> Result<Response, Refused> {
    let found = devlxd::image(&world, &guest, &fingerprint).await?;
    images::files(found).await.map_err(|error| {
        tracing::error!(error = %tasks::chain(&error), "guest API");
        Refused::BROKEN
    })
}
