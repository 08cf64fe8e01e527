//! TLS, the same for every door and every client: who has which certificate, and where a server listens.
//!
//! ```text
//! Identity      a certificate and its key, made by itself where there is none
//! server        asks clients for a certificate and takes any: who it belongs to is for others to judge
//! client        takes a server by the fingerprint of its certificate, or by an authority that the user has
//! Authority     who signed certificates of clients, and which of them it revoked
//! Exchange      how two who are strangers find out that both know the same few words
//! Door          a listener that can be opened, moved and closed while the program runs
//! ```
//! Trust is by fingerprint, as with LXD, unless somebody has an authority of his own (`docs/decisions/trust.md`).
//! What is spoken over a connection is not known here.

mod authority;
mod certificate;
mod client;
mod door;
mod exchange;
mod identity;
pub mod password;
mod server;
pub mod words;

pub use rustls::pki_types::CertificateDer;
pub use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream as ClientStream};

/// What encrypts, for others that speak TLS.
pub fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::ring::default_provider())
}

pub use self::{
    authority::{Authority, Unsigned},
    certificate::{fingerprint, from_text, is_valid_now, to_pem},
    client::{Pin, connect},
    door::{Behind, Connection, Door, Serve, Stopped},
    exchange::{Agreed, Ends, Exchange, Side},
    identity::{Identity, Purpose, keep},
    server::{Clients, acceptor, member_acceptor},
};
