//! The agent inside a virtual machine, and the daemon's handle on it.
//!
//! Both ends share a stream of bytes: a port of virtio-serial, which has neither connections nor an
//! end, or a connection of vsock. A handshake finds the beginning, whatever is still in the port
//! from before; then it is HTTP/2, whose streams do not wait for each other.
//!
//! ```text
//! daemon                                        guest
//! Agent ── hello(nonce) ─────────────────────>  serve
//!       <─ welcome(nonce, versions) ──────────
//!       ── HTTP/2: /1.0/... ─────────────────>  info, state, clock, exec, files
//! Exec  ── pipes or a socket in place of the terminal, pumped by tasks
//! Files ── contents through files without a name
//! Visitor ── somebody inside who asks the daemon, carried to it
//! ```
//!
//! What lies inside is the guest's: its agent may be dead, hung or hostile. Every call has a time
//! and every message a size it may not exceed ([`limits`]). Not here: how the agent comes into the
//! guest, and who decides when to connect.

mod body;
mod error;
mod guest;
mod handshake;
mod host;
mod limits;
mod rewind;
mod watched;
mod words;

pub use error::{Error, Result};
pub use guest::{nics, port, serve, serve_at, templates};
pub use host::{Agent, Exec, Files, Visitor};
pub use words::{Disk, Info, Nic, Nics, PROTOCOLS, Share, State, Templates};
