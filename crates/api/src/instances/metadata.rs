//! `/1.0/instances/{name}/metadata`: what an instance's image said of itself, and its templates.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use cloud::{
    etag,
    instances::templates::{files, metadata},
};
use http::header::CONTENT_TYPE;
use wire::{Empty, ImageMetadata, endpoints::instance_metadata::*};

use crate::{
    error::Result,
    routes::{self, Call, RawCall, Routes, Tagged},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .tagged::<InstanceMetadataGet, _>(get)
        .sync::<InstanceMetadataReplace, _>(replace)
        .sync::<InstanceMetadataPatch, _>(patch)
        .raw::<InstanceTemplateGet, _>(template)
        .raw::<InstanceTemplatePut, _>(put)
        .sync::<InstanceTemplateDelete, _>(delete)
}

async fn get(call: Call<InstanceMetadataGet>) -> Result<Tagged<ImageMetadata>> {
    let found = metadata::get(&call.world, call.query.project(), call.path("name")).await?;
    let tag = etag::of(&found);
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<InstanceMetadataReplace>) -> Result<Empty> {
    let (of, new) = ((call.query.project(), call.path("name")), call.body.clone());
    let seen = call.if_match.clone();
    metadata::update(&call.world, &call.caller, of, seen, |_| Ok(new)).await?;
    Ok(Empty {})
}

async fn patch(call: Call<InstanceMetadataPatch>) -> Result<Empty> {
    let (of, patch) = ((call.query.project(), call.path("name")), call.body.clone());
    let seen = call.if_match.clone();
    let change = move |old| patch.apply(&old).map_err(|why| cloud::Error::invalid("body", why));
    metadata::update(&call.world, &call.caller, of, seen, change).await?;
    Ok(Empty {})
}

async fn template(RawCall { call, .. }: RawCall<InstanceTemplateGet>) -> Result<Response> {
    let (project, name) = (call.query.project(), call.path("name"));
    if call.query.path.is_empty() {
        let names = files::list(&call.world, project, name).await?;
        return Ok(Json(wire::Response::sync(names)).into_response());
    }
    let text = files::get(&call.world, (project, name), &call.query.path).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], Body::from(text)).into_response())
}

async fn put(RawCall { call, request }: RawCall<InstanceTemplatePut>) -> Result<Response> {
    let text = routes::bytes(request.into_body()).await?.to_vec();
    routes::to_its_end(async move {
        let of = (call.query.project(), call.path("name"));
        files::put(&call.world, &call.caller, of, &call.query.path, text).await?;
        Ok(Json(wire::Response::sync(Empty {})).into_response())
    })
    .await
}

async fn delete(call: Call<InstanceTemplateDelete>) -> Result<Empty> {
    let of = (call.query.project(), call.path("name"));
    files::delete(&call.world, &call.caller, of, &call.query.path).await?;
    Ok(Empty {})
}
