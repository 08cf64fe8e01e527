//! `/1.0/metrics`

use axum::response::{IntoResponse, Response};
use cloud::metrics;
use http::header::CONTENT_TYPE;
use wire::endpoints::server::MetricsGet;

use crate::{
    error::Result,
    routes::{RawCall, Routes},
};

/// What OpenMetrics asks for.
const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.raw::<MetricsGet, _>(get)
}

async fn get(RawCall { call, .. }: RawCall<MetricsGet>) -> Result<Response> {
    let text = metrics::get(&call.world, &call.caller, call.query.project.as_deref()).await?;
    Ok(([(CONTENT_TYPE, KIND)], text).into_response())
}
