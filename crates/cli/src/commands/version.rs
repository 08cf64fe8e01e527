//! `version`.

use wire::{endpoints::server::ServerGet, query::TargetQuery};

use super::OK;
use crate::{context::Context, error::Result};

/// Shows the versions.
#[derive(Debug, clap::Args)]
pub(crate) struct Version {}

impl Version {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        outln!("Client version: {}", env!("CARGO_PKG_VERSION"));
        let server = cx.client.get::<ServerGet>(&[], &TargetQuery::default()).await;
        let version = server.ok().and_then(|server| server.environment);
        outln!(
            "Server version: {}",
            version.map_or("unreachable".into(), |env| env.server_version)
        );
        Ok(OK)
    }
}
