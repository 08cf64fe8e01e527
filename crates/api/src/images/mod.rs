//! `/1.0/images`; their other names in [`aliases`].

use axum::{body::Body, response::Response};
use cloud::{Error, etag, images};
use http::Request;
use tasks::Operation;
use wire::{
    Empty, Entity, Image, ImagesPost, Listing, Permission, Verb, endpoints::images::*,
    query::ImageQuery,
};

use crate::{
    access,
    error::{self, Result},
    listing, raw,
    routes::{self, Call, RawCall, Routes, Tagged},
    upload,
};

mod aliases;

pub(crate) fn routes(routes: Routes) -> Routes {
    let routes = routes
        .sync::<ImagesList, _>(list)
        .raw::<ImageCreate, _>(create)
        .tagged::<ImageGet, _>(get)
        .sync::<ImageReplace, _>(replace)
        .sync::<ImagePatch, _>(patch)
        .background::<ImageDelete, _>(delete)
        .raw::<ImageExport, _>(export)
        .background::<ImagePush, _>(push)
        .background::<ImageSecret, _>(secret)
        .background::<ImageRefresh, _>(refresh);
    aliases::routes(routes)
}

async fn list(call: Call<ImagesList>) -> Result<Listing<Image>> {
    let project = (!call.query.all_projects).then(|| call.query.project());
    let mut found = images::list(&call.world, project)?;
    found.retain(|one| one.public || call.caller.rights.within(project.unwrap_or(&one.project)));
    listing::of(&call.query, found, |one| listing::url("images", &one.fingerprint, &one.project))
}

async fn create(RawCall { call, request }: RawCall<ImageCreate>) -> Result<Response> {
    let (world, caller, project) = (&call.world, &call.caller, call.query.project());
    if let Some((secret, fingerprint)) = upload::brought(request.headers())? {
        return brought(&call, (&secret, &fingerprint), request).await;
    }
    let needed = Permission::Can(Verb::Create, Entity::Image);
    access::check(world, caller, needed, Some(project))?;
    let (is_upload, request) = upload::is_upload(request).await?;
    let operation = if is_upload {
        let received = upload::receive(&world.dirs.cache(), request).await?;
        let operation =
            images::import(world, caller, project, received.upload(), received.post.clone())?;
        received.hand_over();
        operation
    } else {
        made(&call, routes::read_json(request).await?)?
    };
    Ok(routes::accepted(&operation))
}

/// An image that another server brings, which need not be trusted: the secret says what is expected.
async fn brought(
    call: &Call<ImageCreate>,
    (secret, fingerprint): (&str, &str),
    request: Request<Body>,
) -> Result<Response> {
    let (world, project) = (&call.world, call.query.project());
    let expected = images::expected::spend(world, project, fingerprint, secret)?;
    let received = upload::receive(&world.dirs.cache(), request).await?;
    let sent = (received.upload(), received.post.clone());
    let operation = images::expected::receive(world, &call.caller, (expected, secret), sent)?;
    received.hand_over();
    Ok(routes::accepted(&operation))
}

/// An image that the server makes itself, or that another one is to bring.
fn made(call: &Call<ImageCreate>, post: ImagesPost) -> Result<Operation> {
    let Some(source) = &post.source else {
        return Err(error::Error::bad("body", "the source is missing"));
    };
    let project = call.query.project();
    if source.mode == "push" && matches!(source.r#type.as_str(), "" | "image") {
        return Ok(images::expected::expect(&call.world, &call.caller, project, post)?);
    }
    match (source.r#type.as_str(), source.protocol.as_str()) {
        ("" | "image", images::BUILD_PROTOCOL) => {
            let recipe = source.alias.clone();
            Ok(images::build(&call.world, &call.caller, project, &recipe, post)?)
        }
        ("instance" | "container" | "virtual-machine" | "snapshot", _) => {
            Ok(images::publish(&call.world, &call.caller, project, post)?)
        }
        ("url", _) => Ok(images::download(&call.world, &call.caller, project, post)?),
        ("" | "image", _) if !source.server.is_empty() => {
            Ok(images::download(&call.world, &call.caller, project, post)?)
        }
        ("" | "image", _) => Err(error::Error::bad("body", "the source names no server")),
        (other, _) => {
            let why = format!("\"{other}\": image, instance, snapshot or url");
            Err(Error::invalid("source type", why).into())
        }
    }
}

/// The image of a request; one that the caller may not see is not there for it.
fn seen<E: wire::Endpoint<Query = ImageQuery>>(call: &Call<E>) -> Result<Image> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    let found = images::get(&call.world, project, fingerprint);
    if call.caller.rights.within(project) {
        return Ok(found?);
    }
    let secret = call.query.secret.as_deref();
    let told = |image: &Image| {
        secret.is_some_and(|it| images::secret::check(&call.world, &image.fingerprint, it).is_ok())
    };
    match found {
        Ok(image) if image.public || told(&image) => Ok(image),
        _ => Err(Error::not_found("image", fingerprint).into()),
    }
}

async fn secret(call: Call<ImageSecret>) -> Result<Operation> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    Ok(images::secret::make(&call.world, &call.caller, project, fingerprint)?)
}

async fn push(call: Call<ImagePush>) -> Result<Operation> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    Ok(images::push(&call.world, &call.caller, project, fingerprint, call.body.clone())?)
}

async fn refresh(call: Call<ImageRefresh>) -> Result<Operation> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    Ok(images::refresh(&call.world, &call.caller, project, fingerprint)?)
}

async fn get(call: Call<ImageGet>) -> Result<Tagged<Image>> {
    let found = seen(&call)?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<ImageReplace>) -> Result<Empty> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    images::update(&call.world, &call.caller, project, fingerprint, seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<ImagePatch>) -> Result<Empty> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    let change = |old| call.body.apply(&old).map_err(|error| Error::invalid("body", error));
    let seen = call.if_match.clone();
    images::update(&call.world, &call.caller, project, fingerprint, seen, change).await?;
    Ok(Empty {})
}

async fn delete(call: Call<ImageDelete>) -> Result<Operation> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    Ok(images::delete(&call.world, &call.caller, project, fingerprint)?)
}

async fn export(RawCall { call, .. }: RawCall<ImageExport>) -> Result<Response> {
    let (project, fingerprint) = (call.query.project(), call.path("fingerprint"));
    let image = seen(&call)?;
    if let Some(secret) = call.query.secret.as_deref()
        && !image.public
        && !call.caller.rights.within(project)
    {
        images::secret::spend(&call.world, &image.fingerprint, secret)?;
    }
    files(images::export::export(&call.world, project, fingerprint).await?).await
}

/// The files of an image: one as it is, two as a form.
pub(crate) async fn files(found: images::export::Export) -> Result<Response> {
    let Some(rootfs) = found.rootfs else { return raw::file(&found.main, &found.filename).await };
    let disk = rootfs.filename.ends_with(".qcow2");
    let field = if disk { "rootfs.img" } else { "rootfs" };
    let parts = [
        raw::Part {
            field: "metadata",
            filename: format!("meta-{}", found.filename),
            path: &found.main,
        },
        raw::Part { field, filename: rootfs.filename, path: &rootfs.path },
    ];
    raw::form(&parts).await
}
