//! Ports of instances: a veth pair, one end on the bridge, the other born in the instance; or a tap, whose
//! other end is a virtual machine.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use ipnet::IpNet;
use leases::MacAddr;
use rtnetlink::{
    LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth,
    packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage},
};

use super::{Plane, PortVlans, sysctl};
use crate::{Counters, Error, Result, bridge::check_name, netlink};

/// What a link has if nobody says otherwise.
const USUAL_MTU: u32 = 1500;

/// A port of an instance.
#[derive(Debug, Clone)]
pub struct PortSpec<'a> {
    /// The bridge it joins; `None` for a plain pair.
    pub bridge: Option<&'a str>,
    /// Name of the end on this machine.
    pub host_name: &'a str,
    /// Hardware address of the end on this machine; a high one if not set.
    pub host_hwaddr: Option<MacAddr>,
    /// Hardware address of the instance's end.
    pub hwaddr: MacAddr,
    /// MTU of both ends; that of the bridge if not set.
    pub mtu: Option<u32>,
    /// Length of the transmit queue of both ends.
    pub queue_length: Option<u32>,
    /// May not talk to other isolated ports.
    pub isolated: bool,
    /// In which VLANs of the bridge it is, if not in the usual one.
    pub vlans: Option<PortVlans>,
    /// What is sent to it.
    pub routes: Vec<IpNet>,
}

/// The end of a port that is a container's.
#[derive(Debug, Clone, Copy)]
pub struct Inside<'a> {
    /// Its name, such as `eth0`.
    pub name: &'a str,
    /// The container's network namespace.
    pub netns: BorrowedFd<'a>,
}

impl Plane {
    /// Makes the pair in one request: the peer is born in the instance's namespace, and the end here
    /// is up and on the bridge.
    ///
    /// # Errors
    /// The bridge does not exist, a name is taken, or the namespace is gone.
    pub async fn attach_port(&self, port: &PortSpec<'_>, inside: Inside<'_>) -> Result<()> {
        check_name(port.host_name)?;
        check_name(inside.name)?;
        let (bridge, mtu) = self.bridge_of(port).await?;
        let message = pair(port, inside, bridge, mtu);
        netlink::add_link(&self.handle, port.host_name, message).await?;
        self.settle(port).await
    }

    /// Makes a tap, up and on the bridge, for a virtual machine, and gives its MTU, if it is not the
    /// usual. It goes when nobody has it open any more.
    ///
    /// # Errors
    /// The bridge does not exist, the name is taken, or the kernel has no taps.
    pub async fn attach_tap(&self, port: &PortSpec<'_>) -> Result<(OwnedFd, Option<u32>)> {
        check_name(port.host_name)?;
        let (bridge, mtu) = self.bridge_of(port).await?;
        let tap = sys::open_tap(port.host_name).map_err(|source| Error::Netlink {
            action: "make tap",
            object: port.host_name.to_owned(),
            source,
        })?;
        // Its own address is not the guest's, which speaks through it.
        let hwaddr = port.host_hwaddr.unwrap_or_else(|| high(port.hwaddr));
        let mut link =
            LinkMessageBuilder::<LinkUnspec>::new().name(port.host_name).address(hwaddr.0.to_vec());
        if let Some(index) = bridge {
            link = link.controller(index);
        }
        let mut message = link.up().build();
        message.attributes.extend(sizes(port, mtu));
        netlink::set_link(&self.handle, port.host_name, message).await?;
        self.settle(port).await?;
        Ok((tap, mtu.filter(|mtu| *mtu != USUAL_MTU)))
    }

    /// The index of the bridge a port is to be on, and the MTU it is to have.
    async fn bridge_of(&self, port: &PortSpec<'_>) -> Result<(Option<u32>, Option<u32>)> {
        let bridge = match port.bridge {
            Some(name) => Some(self.bridge(name).await?),
            None => None,
        };
        Ok((bridge.map(|(index, _)| index), port.mtu.or(bridge.map(|(_, mtu)| mtu))))
    }

    /// What is left to do once a port is on its bridge.
    async fn settle(&self, port: &PortSpec<'_>) -> Result<()> {
        if let Some(bridge) = port.bridge {
            // The machine speaks by the bridge; an address of its own on the port would only be noise.
            sysctl::quiet(port.host_name);
            self.place(port, bridge).await?;
        }
        self.set_routes(port).await
    }

    /// Makes a port on a bridge what it is to be there.
    async fn place(&self, port: &PortSpec<'_>, bridge: &str) -> Result<()> {
        self.set_vlans(port, bridge).await?;
        if port.isolated { self.isolate(port.host_name).await } else { Ok(()) }
    }

    /// Removes the pair; it need not exist.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn detach_port(&self, host_name: &str) -> Result<()> {
        netlink::delete_link(&self.handle, host_name).await
    }

    /// Puts a port back on its bridge, as after the bridge was made anew; nothing changes if it is
    /// there.
    ///
    /// # Errors
    /// The port or the bridge does not exist.
    pub async fn rejoin_port(&self, port: &PortSpec<'_>, bridge: &str) -> Result<()> {
        let (index, _) = self.bridge(bridge).await?;
        let host_name = port.host_name;
        let link = netlink::link(&self.handle, host_name).await?;
        let link = link.ok_or_else(|| Error::NoLink(host_name.to_owned()))?;
        if link.master != Some(index) || !link.enabled {
            let message = LinkMessageBuilder::<LinkUnspec>::new().name(host_name);
            let message = message.controller(index).up().build();
            netlink::set_link(&self.handle, host_name, message).await?;
            self.place(port, bridge).await?;
        }
        self.set_routes(port).await
    }

    /// Lets a port have back what it sends to itself by an address of this machine's, or not.
    ///
    /// That is only so where bridged packets pass the rules for routed ones (`br_netfilter`, which Docker loads): there
    /// the bridge itself sends on what rules have given another target.
    ///
    /// # Errors
    /// The port does not exist, or is on no bridge.
    pub async fn reflect_port(&self, host_name: &str, on: bool) -> Result<()> {
        if !sysctl::filters_bridged() {
            return Ok(());
        }
        let link = netlink::link(&self.handle, host_name).await?;
        let index = link.ok_or_else(|| Error::NoLink(host_name.to_owned()))?.index;
        let message = LinkBridgePort::new(index).hairpin(on).build();
        let done = self.handle.link().set_port(message).execute().await;
        done.map_err(netlink::failed("reflect port", host_name))
    }

    /// What went over a port, as the instance sees it; `None` if there is no such port.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn port_counters(&self, host_name: &str) -> Result<Option<Counters>> {
        let link = netlink::link(&self.handle, host_name).await?;
        Ok(link.map(|link| link.counters.reversed()))
    }

    async fn bridge(&self, name: &str) -> Result<(u32, u32)> {
        let link = netlink::link(&self.handle, name).await?;
        link.map(|link| (link.index, link.mtu)).ok_or_else(|| Error::NoLink(name.to_owned()))
    }

    async fn isolate(&self, host_name: &str) -> Result<()> {
        let link = netlink::link(&self.handle, host_name).await?;
        let index = link.ok_or_else(|| Error::NoLink(host_name.to_owned()))?.index;
        let message = LinkBridgePort::new(index).isolated(true).build();
        let done = self.handle.link().set_port(message).execute().await;
        done.map_err(netlink::failed("isolate port", host_name))
    }
}

fn pair(
    port: &PortSpec<'_>,
    inside: Inside<'_>,
    bridge: Option<u32>,
    mtu: Option<u32>,
) -> LinkMessage {
    let mut peer = LinkMessageBuilder::<LinkUnspec>::new()
        .name(inside.name)
        .address(port.hwaddr.0.to_vec())
        .setns_by_fd(inside.netns.as_raw_fd())
        .build();
    peer.attributes.extend(sizes(port, mtu));
    let mut host = LinkMessageBuilder::<LinkVeth>::new(port.host_name, inside.name)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .up();
    host = host.address(port.host_hwaddr.unwrap_or_else(|| high(port.hwaddr)).0.to_vec());
    if let Some(index) = bridge {
        host = host.controller(index);
    }
    let mut message = host.build();
    message.attributes.extend(sizes(port, mtu));
    message
}

/// A bridge without an address of its own takes the lowest of its ports; a guest's must not be it, or
/// the bridge would change its address as guests come and go.
fn high(guest: MacAddr) -> MacAddr {
    let [first, rest @ ..] = guest.0;
    let [a, b, c, d, e] = rest;
    MacAddr([if first == 0xfe { 0xfa } else { 0xfe }, a, b, c, d, e])
}

fn sizes(port: &PortSpec<'_>, mtu: Option<u32>) -> impl Iterator<Item = LinkAttribute> {
    let mtu = mtu.map(LinkAttribute::Mtu);
    mtu.into_iter().chain(port.queue_length.map(LinkAttribute::TxQueueLen))
}
