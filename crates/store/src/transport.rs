//! How this member reaches the others: given by the daemon, which has a port, certificates and
//! TLS. The store needs a stream of bytes to a member whose identity the transport has proven.

use std::fmt::Debug;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::options::Member;

/// A connection to another member.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Opens connections to other members. The other side hands what it accepts to
/// [`Store::serve`](crate::Store::serve).
#[async_trait::async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Connects to the member.
    async fn dial(&self, member: &Member) -> io::Result<Box<dyn Stream>>;
}

/// For a member that is alone.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

#[async_trait::async_trait]
impl Transport for Nobody {
    async fn dial(&self, member: &Member) -> io::Result<Box<dyn Stream>> {
        let why = format!("member {} cannot be reached: this store has no transport", member.id);
        Err(io::Error::new(io::ErrorKind::NotConnected, why))
    }
}
