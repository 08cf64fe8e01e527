//! The two DHCP servers: bytes in, bytes out.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use dhcproto::Encodable;
use tokio::net::UdpSocket;

use super::Shared;
use crate::{dhcp4, dhcp6};

/// A pause after a socket error, so that a lasting one does not spin.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn serve4(shared: Arc<Shared>, socket: UdpSocket) {
    let mut buffer = [0; 4096];
    loop {
        let Some((length, _)) = receive(&socket, &mut buffer).await else { continue };
        let Some(message) = dhcp4::decode(&buffer[..length]) else { continue };
        let reply = shared.with(|state, now| dhcp4::handle(state, now, &message));
        if let Some(reply) = reply
            && let Ok(bytes) = reply.message.to_vec()
        {
            send(&socket, &bytes, SocketAddr::V4(reply.to)).await;
        }
    }
}

pub(super) async fn serve6(shared: Arc<Shared>, socket: UdpSocket) {
    let mut buffer = [0; 4096];
    loop {
        let Some((length, from)) = receive(&socket, &mut buffer).await else { continue };
        let SocketAddr::V6(source) = from else { continue };
        let Some(message) = dhcp6::decode(&buffer[..length]) else { continue };
        let reply = shared.with(|state, now| dhcp6::handle(state, now, *source.ip(), &message));
        if let Some(reply) = reply
            && let Ok(bytes) = reply.to_vec()
        {
            send(&socket, &bytes, from).await;
        }
    }
}

pub(super) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(buffer).await {
        Ok(received) => Some(received),
        Err(error) => {
            tracing::debug!(%error, "receive on the bridge");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

pub(super) async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(bytes, to).await {
        tracing::debug!(%error, %to, "send on the bridge");
    }
}
