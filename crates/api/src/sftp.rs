//! `/1.0/instances/{name}/sftp`: the connection becomes one of SFTP.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use cloud::files::{Of, sftp::Connection};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, UPGRADE},
};
use hyper_util::rt::TokioIo;
use wire::endpoints::files::InstanceSftp;

use crate::{
    error::{Error, Result},
    routes::RawCall,
};

const SFTP: &str = "sftp";

pub(crate) async fn get(call: RawCall<InstanceSftp>) -> Result<Response> {
    let RawCall { call, mut request } = call;
    let wanted = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    if !wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(SFTP)) {
        return Err(Error::bad("Upgrade", "the header is missing that says \"sftp\""));
    }
    let (project, name) = (call.query.project().to_owned(), call.path("name").to_owned());
    let served = Connection::open(&call.world, Of::Instance { project, name }).await?;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // A client that is gone by now needs nothing.
        if let Ok(stream) = upgraded.await {
            served.serve(TokioIo::new(stream)).await;
        }
    });
    let headers = [
        (UPGRADE, HeaderValue::from_static(SFTP)),
        (CONNECTION, HeaderValue::from_static("Upgrade")),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response())
}
