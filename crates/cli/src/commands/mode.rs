//! Between two servers: who connects to whom, and what that one has to know of the other.

use client::Client;
use wire::{endpoints::server::ServerGet, query::TargetQuery};

use crate::{
    error::{Error, Result},
    remotes::Remote,
};

/// Who connects to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// The server that it goes to, to the one that has it
    Pull,
    /// The server that has it, to the one that it goes to
    Push,
    /// This client to both, which need not reach each other
    Relay,
}

/// A server, as another one is told of it.
pub(super) struct Known {
    /// Where it may be reached; one is enough.
    pub(super) urls: Vec<String>,
    /// Its certificate, PEM.
    pub(super) certificate: String,
}

impl Known {
    /// Asks a server; `remote` is none for that of this machine, which may have no address.
    pub(super) async fn ask(client: &Client, remote: Option<&Remote>) -> Result<Known> {
        let server = client.get::<ServerGet>(&[], &TargetQuery::default()).await?;
        let untrusted = Error::Usage("a server does not trust this user: microcloud remote add");
        let there = server.environment.ok_or(untrusted)?;
        let urls = match remote {
            Some(remote) => vec![remote.url.clone()],
            None => there.addresses.iter().map(|address| format!("https://{address}")).collect(),
        };
        Ok(Known { urls, certificate: there.certificate })
    }

    /// The first address.
    pub(super) fn url(&self) -> Result<&str> {
        Ok(self.urls.first().ok_or_else(no_address)?)
    }
}

/// That a server cannot be reached by another.
pub(super) fn no_address() -> Error {
    Error::Usage("that server has no address: set core.https_address there, or use --mode relay")
}
