//! The DNS server: who may ask, and how many at once.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use super::{
    Shared,
    dhcp::{receive, send},
    sockets,
};
use crate::{
    Result, ServiceConfig,
    dns::{
        self, Verdict,
        forward::{self, read_framed, write_framed},
        resolv::Resolvers,
    },
};

/// Queries relayed at once; beyond it they are dropped and the client asks again.
const MAX_RELAYS: usize = 512;
/// TCP connections at once.
const MAX_CONNECTIONS: usize = 64;
/// A TCP client may be silent for as long.
const IDLE: Duration = Duration::from_secs(10);

struct Server {
    shared: Arc<Shared>,
    resolvers: Resolvers,
    own: Vec<IpAddr>,
    config: ServiceConfig,
    relays: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

/// Opens the sockets on every address, or none.
pub(super) fn spawn(
    shared: &Arc<Shared>,
    config: &ServiceConfig,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    let sockets = sockets::dns(config)?;
    let server = Arc::new(Server {
        shared: shared.clone(),
        resolvers: Resolvers::new(config.dns.resolv_conf.clone()),
        own: sockets::own_addresses(config),
        config: config.clone(),
        relays: Arc::new(Semaphore::new(MAX_RELAYS)),
        connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
    });
    for (udp, tcp) in sockets {
        tasks.spawn(serve_udp(server.clone(), Arc::new(udp)));
        tasks.spawn(serve_tcp(server.clone(), tcp));
    }
    Ok(())
}

impl Server {
    /// Guests of this bridge and the host itself; nobody else, wherever the packet came in.
    fn serves(&self, from: IpAddr) -> bool {
        match from {
            IpAddr::V4(v4) => {
                v4.is_loopback()
                    || self.config.ipv4.as_ref().is_some_and(|c| c.address.contains(&v4))
            }
            IpAddr::V6(v6) => {
                v6.is_loopback()
                    || v6.is_unicast_link_local()
                    || self.config.ipv6.as_ref().is_some_and(|c| c.address.contains(&v6))
            }
        }
    }

    fn consider(&self, query: &[u8], tcp: bool) -> Verdict {
        self.shared.with(|state, now| dns::consider(state, now, query, tcp))
    }

    async fn relay(&self, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
        forward::relay(&self.resolvers, &self.own, query, tcp).await
    }
}

async fn serve_udp(server: Arc<Server>, socket: Arc<UdpSocket>) {
    let mut relays = JoinSet::new();
    let mut buffer = vec![0; 4096];
    loop {
        while relays.try_join_next().is_some() {}
        let Some((length, from)) = receive(&socket, &mut buffer).await else { continue };
        if !server.serves(from.ip()) {
            continue;
        }
        match server.consider(&buffer[..length], false) {
            Verdict::Answer(reply) => send(&socket, &reply, from).await,
            Verdict::Ignore => {}
            Verdict::Forward => {
                let Ok(permit) = server.relays.clone().try_acquire_owned() else { continue };
                let (server, socket) = (server.clone(), socket.clone());
                let query = buffer[..length].to_vec();
                relays.spawn(async move {
                    if let Some(reply) = server.relay(&query, false).await {
                        send(&socket, &reply, from).await;
                    }
                    drop(permit);
                });
            }
        }
    }
}

async fn serve_tcp(server: Arc<Server>, listener: TcpListener) {
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(permit) = server.connections.clone().try_acquire_owned() else { continue };
        if server.serves(from.ip()) {
            let server = server.clone();
            clients.spawn(async move {
                converse(&server, stream, from).await;
                drop(permit);
            });
        }
    }
}

async fn converse(server: &Server, mut stream: TcpStream, from: SocketAddr) {
    while let Ok(Ok(query)) = timeout(IDLE, read_framed(&mut stream)).await {
        let reply = match server.consider(&query, true) {
            Verdict::Answer(reply) => Some(reply),
            Verdict::Forward => server.relay(&query, true).await,
            Verdict::Ignore => None,
        };
        let Some(reply) = reply else { return };
        match timeout(IDLE, write_framed(&mut stream, &reply)).await {
            Ok(Ok(())) => {}
            _ => {
                tracing::debug!(%from, "client went away");
                return;
            }
        }
    }
}
