//! Carries what two servers say to each other, which need not reach each other: the websockets of an operation of each.

use client::Client;
use wire::Operation;

use super::between::secrets;
use crate::error::Result;

/// The websockets of an instance that goes to another server; the last is of machines that run.
const SOCKETS: [&str; 3] = ["control", "fs", "criu"];

/// An operation, and the server that it is of.
pub(super) type End<'a> = (&'a Client, &'a Operation);

/// Connects to both; from then on, what one says the other hears, until both are done.
pub(super) async fn join(from: End<'_>, to: End<'_>) -> Result<()> {
    let (from_secrets, to_secrets) = (secrets(from.1), secrets(to.1));
    for name in SOCKETS {
        let (Some(there), Some(here)) = (from_secrets.get(name), to_secrets.get(name)) else {
            continue;
        };
        let (there, here) = (open(from, there).await?, open(to, here).await?);
        tokio::spawn(there.carry(here));
    }
    Ok(())
}

async fn open((client, operation): End<'_>, secret: &str) -> Result<client::Socket> {
    let path = format!("/1.0/operations/{}/websocket?secret={secret}", operation.id);
    Ok(client.websocket(&path).await?)
}
