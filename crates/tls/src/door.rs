//! A listener that goes where an option says, while the program runs.
//!
//! ```text
//! closed ─ listen(address) ─> open ─ listen(another) ─> open there; or, if that fails, still here
//!    ^                         │
//!    └────── listen(None) ─────┘   requests under way are answered
//! ```

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::future::BoxFuture;
use options::ListenAddress;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long a client may take to agree on TLS.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a connection is taken again that could not be.
const PAUSE: Duration = Duration::from_millis(100);

/// Its sender is gone once the door is closed.
pub type Stopped = watch::Receiver<()>;

/// A client that came through the door.
pub struct Connection {
    /// What it is spoken to over.
    pub stream: TlsStream<TcpStream>,
    /// Where it is.
    pub from: SocketAddr,
    /// Whether the door is still open.
    pub stopped: Stopped,
}

/// Serves one client until it leaves.
pub type Serve = Arc<dyn Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is behind a door that opens at an address.
pub struct Behind {
    /// Who the clients speak to.
    pub acceptor: TlsAcceptor,
    /// What they are served with.
    pub serve: Serve,
}

type Open = Box<dyn Fn(&ListenAddress, Stopped) -> io::Result<Behind> + Send + Sync>;

/// A door.
pub struct Door {
    port: u16,
    most: usize,
    open: Open,
    listening: Mutex<Option<Listening>>,
}

/// Where it listens.
struct Listening {
    address: ListenAddress,
    stop: watch::Sender<()>,
    accepting: JoinHandle<()>,
    current: Arc<RwLock<Current>>,
}

/// What clients find that come now.
struct Current {
    behind: Arc<Behind>,
    /// Dropped, it has those leave who found it, when they have their answers.
    stop: watch::Sender<()>,
}

impl Current {
    fn open(open: &Open, address: &ListenAddress) -> io::Result<Current> {
        let (stop, stopped) = watch::channel(());
        Ok(Current { behind: Arc::new(open(address, stopped)?), stop })
    }
}

impl Listening {
    /// Takes no more connections; requests under way are answered.
    async fn close(self) {
        drop(self.stop);
        // It only ends by itself, or by a panic that is in the log.
        let _ = self.accepting.await;
    }
}

impl Door {
    /// A door that is closed. `port` is for addresses that name none; `most` clients are let in at a time, more
    /// wait; `open` makes what is behind it, each time that it is opened.
    pub fn new(
        port: u16,
        most: usize,
        open: impl Fn(&ListenAddress, Stopped) -> io::Result<Behind> + Send + Sync + 'static,
    ) -> Door {
        Door { port, most, open: Box::new(open), listening: Mutex::default() }
    }

    /// Listens at that address and no other; at none without one.
    ///
    /// # Errors
    /// When it cannot; then it listens where it did.
    pub async fn listen(&self, address: Option<ListenAddress>) -> io::Result<()> {
        let mut listening = self.listening.lock().await;
        if listening.as_ref().map(|open| &open.address) == address.as_ref() {
            return Ok(());
        }
        // One that is for all addresses and one that is for some cannot be open together.
        let before = listening.take();
        let old = before.as_ref().map(|open| open.address.clone());
        if let Some(before) = before {
            before.close().await;
        }
        let Some(address) = address else { return Ok(()) };
        match self.begin(address).await {
            Ok(new) => {
                *listening = Some(new);
                Ok(())
            }
            Err(error) => {
                if let Some(old) = old {
                    *listening = Some(self.begin(old).await?);
                }
                Err(error)
            }
        }
    }

    /// Makes anew what is behind it, for those that come from now on: the server has another certificate. Who is
    /// there has its answers, and then has to come again. Does nothing where it is closed.
    ///
    /// # Errors
    /// When it cannot be made; then it stays as it was.
    pub async fn renew(&self) -> io::Result<()> {
        let listening = self.listening.lock().await;
        let Some(open) = listening.as_ref() else { return Ok(()) };
        let new = Current::open(&self.open, &open.address)?;
        *open.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    async fn begin(&self, address: ListenAddress) -> io::Result<Listening> {
        let listener = bind(&address, self.port).await?;
        let (stop, stopped) = watch::channel(());
        let current = Arc::new(RwLock::new(Current::open(&self.open, &address)?));
        let accepting = tokio::spawn(accept(listener, current.clone(), self.most, stopped));
        Ok(Listening { address, stop, accepting, current })
    }
}

async fn bind(address: &ListenAddress, usual: u16) -> io::Result<TcpListener> {
    let port = address.port.unwrap_or(usual);
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

/// Takes connections until the sender of `stopped` is gone; then the listener is closed.
async fn accept(
    listener: TcpListener,
    current: Arc<RwLock<Current>>,
    most: usize,
    mut stopped: Stopped,
) {
    let room = Arc::new(Semaphore::new(most));
    loop {
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (taken, permit) = tokio::select! {
            _ = stopped.changed() => return,
            next = next => next,
        };
        match taken {
            Ok((stream, from)) => {
                let (behind, stopped) = {
                    let now = current.read().unwrap_or_else(PoisonError::into_inner);
                    (now.behind.clone(), now.stop.subscribe())
                };
                tokio::spawn(async move {
                    let _permit = permit;
                    // Answers are written whole: waiting for more of one only costs time.
                    let _ = stream.set_nodelay(true);
                    let agreed = timeout(PATIENCE, behind.acceptor.accept(stream)).await;
                    if let Ok(Ok(stream)) = agreed {
                        (behind.serve)(Connection { stream, from, stopped }).await;
                    }
                });
            }
            Err(error) => {
                // Mostly too many open files: they go with connections that end.
                tracing::warn!(%error, "cannot take a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use options::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{Clients, Identity, Pin, Purpose, certificate, client::connect, server::acceptor};

    /// A door that tells each client the fingerprint it came with.
    fn door(identity: Arc<Identity>) -> Door {
        Door::new(1, 4, move |_, _| {
            let serve: Serve = Arc::new(|mut connection: Connection| {
                Box::pin(async move {
                    let shown = connection.stream.get_ref().1.peer_certificates();
                    let shown = shown
                        .and_then(|chain| chain.first())
                        .map(|der| certificate::fingerprint(der));
                    let _ = connection.stream.write_all(shown.unwrap_or_default().as_bytes()).await;
                    let _ = connection.stream.shutdown().await;
                })
            });
            Ok(Behind { acceptor: acceptor(&identity, Clients::Known)?, serve })
        })
    }

    fn identity(folder: &std::path::Path, name: &str) -> Identity {
        let path = |end| folder.join(format!("{name}.{end}"));
        Identity::find(&path("crt"), &path("key"), Purpose::Server(name)).unwrap()
    }

    fn free() -> ListenAddress {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        ListenAddress::parse(&format!("127.0.0.1:{port}")).unwrap()
    }

    #[tokio::test]
    async fn a_door_goes_where_it_is_told_and_knows_who_comes() {
        let folder = tempfile::tempdir().unwrap();
        let server = Arc::new(identity(folder.path(), "server"));
        let me = identity(folder.path(), "me");
        let pin = Pin::Fingerprint(server.fingerprint());
        let door = door(server);
        let (here, there) = (free(), free());
        let visit = async |at: &ListenAddress, pin: &Pin, me: Option<&Identity>| {
            let mut stream = connect("127.0.0.1", at.port.unwrap(), pin, me).await?;
            let mut said = String::new();
            stream.read_to_string(&mut said).await?;
            Ok::<_, io::Error>(said)
        };
        door.listen(Some(here.clone())).await.unwrap();
        assert_eq!(visit(&here, &pin, Some(&me)).await.unwrap(), me.fingerprint());
        assert_eq!(visit(&here, &Pin::Anybody, None).await.unwrap(), "");
        let error = visit(&here, &Pin::Fingerprint("00".into()), None).await.unwrap_err();
        assert!(error.to_string().contains("00 is trusted"), "{error}");

        door.listen(Some(there.clone())).await.unwrap();
        visit(&there, &pin, None).await.unwrap();
        visit(&here, &pin, None).await.unwrap_err();

        door.renew().await.unwrap();
        assert_eq!(visit(&there, &pin, Some(&me)).await.unwrap(), me.fingerprint());

        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = format!("127.0.0.1:{}", holder.local_addr().unwrap().port());
        let taken = door.listen(Some(ListenAddress::parse(&taken).unwrap())).await;
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        visit(&there, &pin, None).await.unwrap();

        door.listen(None).await.unwrap();
        visit(&there, &pin, None).await.unwrap_err();
        door.renew().await.unwrap();
        visit(&there, &pin, None).await.unwrap_err();
    }
}
