//! What is behind the door that `core.storage_buckets_address` opens.

use std::{io, sync::Arc};

use cloud::{World, storage::buckets};
use tls::{Behind, Clients, Door};

use crate::{serve, service};

/// Clients at a time; more wait.
const MOST: usize = 256;

/// The door, closed. Its clients may be old: they speak TLS 1.2, too.
pub fn door(world: Arc<World>) -> Door {
    Door::new(buckets::PORT, MOST, move |address, stopped| {
        let identity = world.identity().map_err(io::Error::other)?;
        let acceptor = tls::acceptor(&identity, Clients::Any)?;
        let front = service::new(world.clone(), address);
        tokio::spawn(serve::tidy(world.clone(), stopped));
        tracing::info!(%address, "buckets are served");
        let serve = Arc::new(move |one| Box::pin(serve::connection(one, front.clone())) as _);
        Ok(Behind { acceptor, serve })
    })
}
