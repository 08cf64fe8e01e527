//! `/internal/database`: copies and backups of the server's own database.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use cloud::server::database;
use wire::{Database, DatabaseRestorePost, Empty, endpoints::database::*};

use crate::{
    error::Result,
    raw,
    routes::{self, Call, RawCall, Routes},
    upload,
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<DatabaseGet, _>(get)
        .raw::<DatabaseBackup, _>(backup)
        .raw::<DatabaseRestore, _>(restore)
}

async fn get(call: Call<DatabaseGet>) -> Result<Database> {
    Ok(database::look(&call.world)?)
}

async fn backup(RawCall { call, .. }: RawCall<DatabaseBackup>) -> Result<Response> {
    let file = database::backup(&call.world).await?;
    let reply = raw::file(&file, "microcloud-database.tar").await;
    // It is open, or good for nothing.
    if let Err(error) = tokio::fs::remove_file(&file).await {
        tracing::warn!(file = %file.display(), %error, "backup left behind");
    }
    reply
}

async fn restore(RawCall { call, request }: RawCall<DatabaseRestore>) -> Result<Response> {
    let (world, caller) = (&call.world, &call.caller);
    if upload::is_file(&request) {
        let received = upload::receive_file(&world.dirs.cache(), request).await?;
        database::restore(world, caller, &received.upload().file).await?;
    } else {
        let post: DatabaseRestorePost = routes::read_json(request).await?;
        database::restore_copy(world, caller, &post.copy).await?;
    }
    Ok(Json(wire::Response::sync(Empty {})).into_response())
}
