//! Opens and closes the door, as the server's option says.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloud::{
    World,
    storage::buckets::{self, door},
};
use options::ListenAddress;
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
    task::JoinHandle,
};

use crate::{serve, service, tls};

/// How long an address is waited for that is not there yet when the daemon starts.
const AGAIN: Duration = Duration::from_secs(10);

/// The door.
pub struct Door {
    world: Arc<World>,
    open: Mutex<Option<Open>>,
}

/// Where it listens.
struct Open {
    address: ListenAddress,
    stop: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Open {
    /// Takes no more connections; requests under way are answered.
    async fn close(self) {
        drop(self.stop);
        // It only ends by itself, or by a panic that is in the log.
        let _ = self.accepting.await;
    }
}

impl Door {
    /// A door that is closed.
    pub fn new(world: Arc<World>) -> Arc<Door> {
        Arc::new(Door { world, open: Mutex::default() })
    }

    /// Opens it where the options say. An address that is not there yet is tried again and again.
    pub async fn start(self: Arc<Door>) {
        loop {
            match self.begin().await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(error = tasks::chain(&*error), "buckets are not served yet")
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn begin(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match buckets::listen_address(&self.world)? {
            Some(address) => Ok(door::Door::listen(self, Some(address)).await?),
            None => Ok(()),
        }
    }

    async fn open(&self, address: ListenAddress) -> io::Result<Open> {
        let listener = bind(&address).await?;
        let world = self.world.clone();
        let service = service::new(world.clone(), &address);
        let acceptor = tls::acceptor(&self.world.dirs, &self.world.host.name)?;
        let (stop, stopped) = watch::channel(());
        let accepting = tokio::spawn(serve::accept(listener, acceptor, service, world, stopped));
        tracing::info!(%address, "buckets are served");
        Ok(Open { address, stop, accepting })
    }
}

#[async_trait]
impl door::Door for Door {
    async fn listen(&self, address: Option<ListenAddress>) -> io::Result<()> {
        let mut open = self.open.lock().await;
        if open.as_ref().map(|open| &open.address) == address.as_ref() {
            return Ok(());
        }
        // One that is for all addresses and one that is for some cannot be open together.
        let before = open.take();
        let old = before.as_ref().map(|open| open.address.clone());
        if let Some(before) = before {
            before.close().await;
        }
        let Some(address) = address else { return Ok(()) };
        match self.open(address).await {
            Ok(new) => {
                *open = Some(new);
                Ok(())
            }
            Err(error) => {
                if let Some(old) = old {
                    *open = Some(self.open(old).await?);
                }
                Err(error)
            }
        }
    }
}

async fn bind(address: &ListenAddress) -> io::Result<TcpListener> {
    let port = address.port.unwrap_or(buckets::PORT);
    match &address.host {
        Some(host) => TcpListener::bind((host.as_str(), port)).await,
        // With IPv6 this listens for IPv4 too; the kernel may have none.
        None => match TcpListener::bind(("::", port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
            }
            other => other,
        },
    }
}
