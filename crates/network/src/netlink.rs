//! The few requests that are made of the kernel, with errors that say which failed.

use std::{io, net::IpAddr};

use futures_util::{TryStream, TryStreamExt};
use ipnet::IpNet;
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec, RouteMessageBuilder,
    packet_route::{
        AddressFamily,
        address::{
            AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
        },
        link::LinkMessage,
        route::{RouteMessage, RouteProtocol, RouteScope},
    },
};

use crate::{Error, Interface, Result, interface, plane::of_bridge};

/// Opens a connection in the network namespace of this thread; its driver ends with the handle.
pub(crate) fn connect() -> io::Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}

pub(crate) fn failed(
    action: &'static str,
    object: impl Into<String>,
) -> impl FnOnce(rtnetlink::Error) -> Error {
    let object = object.into();
    move |error| Error::Netlink { action, object, source: reason(error) }
}

fn reason(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    }
}

/// All links, or one by name.
pub(crate) async fn links(handle: &Handle) -> Result<Vec<LinkMessage>> {
    dump(handle.link().get().execute()).await.map_err(failed("list", "links"))
}

/// One link by name, without addresses.
pub(crate) async fn link(handle: &Handle, name: &str) -> Result<Option<Interface>> {
    let found = collect(handle.link().get().match_name(name).execute()).await;
    match found.map_err(failed("look at link", name)) {
        Ok(links) => Ok(links.first().map(interface::interface)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) async fn addresses(handle: &Handle) -> Result<Vec<AddressMessage>> {
    dump(handle.address().get().execute()).await.map_err(failed("list", "addresses"))
}

pub(crate) async fn routes(handle: &Handle) -> Result<Vec<RouteMessage>> {
    let mut out = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut asked = RouteMessage::default();
        asked.header.address_family = family;
        let found = dump(handle.route().get(asked).execute()).await;
        out.extend(found.map_err(failed("list", "routes"))?);
    }
    Ok(out)
}

/// Asks for all there is of something. The kernel gives one such answer at a time to a socket, and is busy
/// (`EBUSY`) for whoever asks meanwhile.
async fn dump<T>(
    stream: impl TryStream<Ok = T, Error = rtnetlink::Error>,
) -> Result<Vec<T>, rtnetlink::Error> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    collect(stream).await
}

async fn collect<T>(
    stream: impl TryStream<Ok = T, Error = rtnetlink::Error>,
) -> Result<Vec<T>, rtnetlink::Error> {
    stream.try_collect().await
}

pub(crate) async fn add_link(handle: &Handle, name: &str, message: LinkMessage) -> Result<()> {
    handle.link().add(message).execute().await.map_err(failed("create link", name))
}

pub(crate) async fn set_link(handle: &Handle, name: &str, message: LinkMessage) -> Result<()> {
    handle.link().set(message).execute().await.map_err(failed("set link", name))
}

/// Removes a link by name; it need not exist.
pub(crate) async fn delete_link(handle: &Handle, name: &str) -> Result<()> {
    let message = LinkMessageBuilder::<LinkUnspec>::new().name(name).build();
    let done = handle.link().del_with_message(message).execute().await;
    done.map_err(failed("delete link", name)).or_else(ignore_absent)
}

/// Adds an address that is used at once: nobody else has it, it is our own link.
pub(crate) async fn add_address(handle: &Handle, index: u32, net: IpNet) -> Result<()> {
    let mut request = handle.address().add(index, net.addr(), net.prefix_len()).replace();
    let message = request.message_mut();
    if let IpAddr::V6(address) = net.addr() {
        message.header.flags |= AddressHeaderFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        if address.is_unicast_link_local() {
            message.header.scope = AddressScope::Link;
        }
    }
    request.execute().await.map_err(failed("add address", net.to_string()))
}

pub(crate) async fn remove_address(handle: &Handle, index: u32, net: IpNet) -> Result<()> {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = net.prefix_len();
    message.header.family =
        if net.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.attributes.push(AddressAttribute::Local(net.addr()));
    let done = handle.address().del(message).execute().await;
    done.map_err(failed("remove address", net.to_string())).or_else(ignore_absent)
}

pub(crate) async fn add_route(handle: &Handle, index: u32, net: IpNet) -> Result<()> {
    let done = handle.route().add(route(index, net)).replace().execute().await;
    done.map_err(failed("add route", net.to_string()))
}

pub(crate) async fn remove_route(handle: &Handle, index: u32, net: IpNet) -> Result<()> {
    let done = handle.route().del(route(index, net)).execute().await;
    done.map_err(failed("remove route", net.to_string())).or_else(ignore_absent)
}

fn route(index: u32, net: IpNet) -> RouteMessage {
    match net {
        IpNet::V4(v4) => RouteMessageBuilder::<std::net::Ipv4Addr>::new()
            .destination_prefix(v4.network(), v4.prefix_len())
            .output_interface(index)
            .protocol(RouteProtocol::Static)
            .scope(RouteScope::Link)
            .build(),
        IpNet::V6(v6) => RouteMessageBuilder::<std::net::Ipv6Addr>::new()
            .destination_prefix(v6.network(), v6.prefix_len())
            .output_interface(index)
            .protocol(RouteProtocol::Static)
            .build(),
    }
}

/// A route to a port of an instance: the reconciler of its network leaves it alone, as it is another's (`boot`).
pub(crate) async fn add_port_route(handle: &Handle, index: u32, net: IpNet) -> Result<()> {
    let done = handle.route().add(of_port(route(index, net))).replace().execute().await;
    done.map_err(failed("add route", net.to_string()))
}

pub(crate) async fn remove_port_route(handle: &Handle, index: u32, net: IpNet) -> Result<()> {
    let done = handle.route().del(of_port(route(index, net))).execute().await;
    done.map_err(failed("remove route", net.to_string())).or_else(ignore_absent)
}

fn of_port(mut route: RouteMessage) -> RouteMessage {
    route.header.protocol = RouteProtocol::Boot;
    route
}

/// Whether a bridge tells VLANs apart, and in which its ports are usually.
pub(crate) async fn bridge_vlans(handle: &Handle, bridge: &str) -> Result<(bool, u16)> {
    let found = collect(handle.link().get().match_name(bridge).execute()).await;
    let found = found.map_err(failed("look at link", bridge))?;
    let bridge = found.first().ok_or_else(|| Error::NoLink(bridge.to_owned()))?;
    Ok(of_bridge(&bridge.attributes))
}

/// Whether the kernel says that there is no such thing.
pub(crate) fn absent(error: &Error) -> bool {
    let Error::Netlink { source, .. } = error else { return false };
    let gone = [rustix::io::Errno::NODEV, rustix::io::Errno::SRCH, rustix::io::Errno::ADDRNOTAVAIL];
    source.raw_os_error().is_some_and(|code| gone.iter().any(|errno| errno.raw_os_error() == code))
}

pub(crate) fn ignore_absent(error: Error) -> Result<()> {
    if absent(&error) { Ok(()) } else { Err(error) }
}
