//! `/1.0/certificates`

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use cloud::{
    Caller,
    access::Rights,
    certificates::{self, Newcomer},
    etag,
};
use http::{StatusCode, header::LOCATION};
use wire::{Certificate, Empty, Listing, endpoints::certificates::*};

use crate::{
    access,
    error::{Error, Result},
    listing,
    routes::{self, Call, RawCall, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<CertificatesList, _>(list)
        .raw::<CertificateCreate, _>(create)
        .tagged::<CertificateGet, _>(get)
        .sync::<CertificateReplace, _>(replace)
        .sync::<CertificatePatch, _>(patch)
        .sync::<CertificateDelete, _>(delete)
}

/// Whether the caller is who this certificate is of.
fn own(caller: &Caller, fingerprint: &str) -> bool {
    let mut requestor = caller.requestor.iter();
    requestor.any(|who| who.protocol == "tls" && who.username == fingerprint)
}

async fn list(call: Call<CertificatesList>) -> Result<Listing<Certificate>> {
    let mut found = certificates::list(&call.world)?;
    if call.caller.rights != Rights::Everything {
        found.retain(|one| own(&call.caller, &one.fingerprint));
    }
    listing::of(&call.query, found, |one| certificates::address(&one.fingerprint))
}

async fn create(RawCall { call, request }: RawCall<CertificateCreate>) -> Result<Response> {
    let post: wire::CertificatesPost = routes::read_json(request).await?;
    if post.token {
        access::administrator(&call.caller)?;
        return Ok(routes::accepted(&certificates::token(&call.world, &call.caller, &post)?));
    }
    let fingerprint = routes::to_its_end(async move {
        let who = Newcomer { caller: &call.caller, certificate: call.peer.certificate() };
        Ok(certificates::add(&call.world, who, post).await?)
    });
    let location = [(LOCATION, certificates::address(&fingerprint.await?))];
    let envelope = wire::Response::sync(Empty {});
    Ok((StatusCode::CREATED, location, Json(envelope)).into_response())
}

/// The certificate of a request, if the caller may see it.
fn seen(call: &Call<impl wire::Endpoint>) -> Result<Certificate> {
    let found = certificates::get(&call.world, call.path("fingerprint"))?;
    match call.caller.rights == Rights::Everything || own(&call.caller, &found.fingerprint) {
        true => Ok(found),
        false => Err(Error::Forbidden),
    }
}

async fn get(call: Call<CertificateGet>) -> Result<Tagged<Certificate>> {
    let found = seen(&call)?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<CertificateReplace>) -> Result<Empty> {
    access::administrator(&call.caller)?;
    let change = |_| Ok(call.body.clone());
    let (fingerprint, seen) = (call.path("fingerprint"), call.if_match.clone());
    certificates::update(&call.world, &call.caller, fingerprint, seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<CertificatePatch>) -> Result<Empty> {
    access::administrator(&call.caller)?;
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let (fingerprint, seen) = (call.path("fingerprint"), call.if_match.clone());
    certificates::update(&call.world, &call.caller, fingerprint, seen, change).await?;
    Ok(Empty {})
}

async fn delete(call: Call<CertificateDelete>) -> Result<Empty> {
    let found = seen(&call)?;
    certificates::delete(&call.world, &call.caller, &found.fingerprint).await?;
    Ok(Empty {})
}
