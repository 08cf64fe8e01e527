//! Sockets that belong to one bridge.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::OwnedFd,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::{Error, Result, ServiceConfig, ra};

/// All DHCPv6 servers and relays on the link (RFC 8415, 7.1).
const DHCP6_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

pub(super) fn dhcp4(config: &ServiceConfig) -> Result<UdpSocket> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 67));
    tell("DHCPv4", config, address, || {
        let socket = on_device(config, Domain::IPV4, Type::DGRAM, Protocol::UDP)?;
        socket.set_broadcast(true)?;
        socket.bind(&address.into())?;
        datagrams(socket)
    })
}

pub(super) fn dhcp6(config: &ServiceConfig) -> Result<UdpSocket> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 547));
    tell("DHCPv6", config, address, || {
        let socket = on_device(config, Domain::IPV6, Type::DGRAM, Protocol::UDP)?;
        socket.set_only_v6(true)?;
        socket.bind(&address.into())?;
        socket.join_multicast_v6(&DHCP6_SERVERS, config.index)?;
        datagrams(socket)
    })
}

/// The raw socket of the router: advertisements go out with hop limit 255 (RFC 4861, 6.1.2). It
/// hears all ICMPv6 that comes in on the bridge.
pub(super) fn router(config: &ServiceConfig) -> Result<UdpSocket> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    tell("router advertisement", config, address, || {
        let socket = on_device(config, Domain::IPV6, Type::RAW, Protocol::ICMPV6)?;
        socket.set_multicast_hops_v6(255)?;
        socket.set_unicast_hops_v6(255)?;
        socket.set_multicast_if_v6(config.index)?;
        socket.set_multicast_loop_v6(false)?;
        socket.join_multicast_v6(&ra::ALL_ROUTERS, config.index)?;
        datagrams(socket)
    })
}

/// Names are served on the bridge's own addresses only. Not tied to the link, so that the host can
/// ask too; who may ask is looked at for every query.
pub(super) fn dns(config: &ServiceConfig) -> Result<Vec<(UdpSocket, TcpListener)>> {
    let addresses = own_addresses(config).into_iter().map(|ip| SocketAddr::new(ip, 53));
    let open = |address: SocketAddr| {
        tell("DNS", config, address, || {
            let domain = Domain::for_address(address);
            let udp = plain(domain, Type::DGRAM, Protocol::UDP)?;
            free_bind(&udp, address)?;
            let tcp = plain(domain, Type::STREAM, Protocol::TCP)?;
            tcp.set_reuse_address(true)?;
            free_bind(&tcp, address)?;
            tcp.listen(64)?;
            Ok((datagrams(udp)?, TcpListener::from_std(tcp.into())?))
        })
    };
    addresses.map(open).collect()
}

/// The bridge's addresses.
pub(super) fn own_addresses(config: &ServiceConfig) -> Vec<IpAddr> {
    let v4 = config.ipv4.as_ref().map(|v4| IpAddr::V4(v4.address.addr()));
    let v6 = config.ipv6.as_ref().map(|v6| IpAddr::V6(v6.address.addr()));
    v4.into_iter().chain(v6).collect()
}

/// A link-local or multicast destination on the bridge.
pub(super) fn on_link(config: &ServiceConfig, address: Ipv6Addr, port: u16) -> SocketAddr {
    SocketAddr::V6(SocketAddrV6::new(address, port, 0, config.index))
}

/// The address may still be on its way to the link.
fn free_bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() {
        socket.set_freebind_v4(true)?;
    } else {
        socket.set_freebind_v6(true)?;
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

/// Several networks serve the same port, each on its own device.
fn on_device(
    config: &ServiceConfig,
    domain: Domain,
    kind: Type,
    protocol: Protocol,
) -> io::Result<Socket> {
    let socket = plain(domain, kind, protocol)?;
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(config.interface.as_bytes()))?;
    Ok(socket)
}

fn plain(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol))
}

/// Tokio knows datagram sockets as UDP; a raw socket reads and writes in the same way.
fn datagrams(socket: Socket) -> io::Result<UdpSocket> {
    UdpSocket::from_std(OwnedFd::from(socket).into())
}

fn tell<T>(
    what: &'static str,
    config: &ServiceConfig,
    address: SocketAddr,
    open: impl FnOnce() -> io::Result<T>,
) -> Result<T> {
    let interface = config.interface.clone();
    open().map_err(|source| Error::Socket { what, address, interface, source })
}
