//! Rust client of the REST API, over the daemon's unix socket, or over TLS to another machine's.
//!
//! Requests are typed by the [`Endpoint`](wire::Endpoint)s of the crate `wire`:
//!
//! ```no_run
//! # async fn f() -> Result<(), client::Error> {
//! use wire::{Empty, endpoints::instances::InstanceGet};
//! let client = client::Client::new("/var/lib/microcloud/unix.socket");
//! let web = client.call::<InstanceGet>(&["web"], &Default::default(), &Empty {}).await?;
//! # Ok(()) }
//! ```
//!
//! It is used by the command line, whose life is a few milliseconds: nothing here is set up before it is needed, one
//! connection is kept and used again, and a single-threaded runtime is enough.

mod answer;
mod client;
mod error;
mod events;
mod exec;
mod operation;
mod received;
mod request;
mod socket;
mod transport;
mod upload;

pub use self::{
    client::Client,
    error::{Error, Result},
    events::Events,
    exec::{Console, Exec, Screen, Streams},
    received::{Content, Form, Received},
    request::{Answer, Request},
    socket::{Receiver, Sender, Socket},
    transport::{Duplex, Network},
    upload::Upload,
};

#[cfg(test)]
mod tests;
