//! VLANs of ports, and what else is sent to them: which networks within a bridge a port is in, and routes to it.

use ipnet::IpNet;
use rtnetlink::{
    LinkBridge, LinkBridgeVlan, LinkMessageBuilder,
    packet_route::link::{BridgeVlanInfoFlags, InfoBridge, InfoData, LinkAttribute, LinkInfo},
};

use super::{Plane, PortSpec};
use crate::{Error, Result, netlink};

/// In which VLANs of a bridge a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortVlans {
    /// In which it is without a tag.
    pub untagged: Untagged,
    /// In which it is with a tag: ranges, both ends included.
    pub tagged: Vec<(u16, u16)>,
    /// Whether the bridge is one of ours, which then begins to tell VLANs apart.
    pub managed: bool,
}

/// In which VLAN a port is without a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untagged {
    /// The bridge's own.
    Usual,
    /// None.
    None,
    /// This.
    Is(u16),
}

impl Plane {
    /// Puts a port, which is on its bridge, into its VLANs.
    pub(super) async fn set_vlans(&self, port: &PortSpec<'_>, bridge: &str) -> Result<()> {
        let Some(vlans) = &port.vlans else { return Ok(()) };
        let usual = self.told_apart(bridge, vlans.managed).await?;
        let link = netlink::link(&self.handle, port.host_name).await?;
        let index = link.ok_or_else(|| Error::NoLink(port.host_name.to_owned()))?.index;
        if vlans.untagged != Untagged::Usual && usual != 0 {
            let message =
                LinkBridgeVlan::new(index).vlan(usual, BridgeVlanInfoFlags::empty()).build();
            let done = self.handle.link().del_with_message(message).execute().await;
            done.map_err(netlink::failed("take from its VLAN", port.host_name))
                .or_else(netlink::ignore_absent)?;
        }
        let mut message = LinkBridgeVlan::new(index);
        let none = BridgeVlanInfoFlags::empty();
        for (first, last) in &vlans.tagged {
            message = match first == last {
                true => message.vlan(*first, none),
                false => message.vlan_range_start(*first, none).vlan_range_end(*last, none),
            };
        }
        if let Untagged::Is(id) = vlans.untagged {
            message = message.vlan(id, BridgeVlanInfoFlags::Pvid | BridgeVlanInfoFlags::Untagged);
        }
        if vlans.tagged.is_empty() && !matches!(vlans.untagged, Untagged::Is(_)) {
            return Ok(());
        }
        netlink::set_link(&self.handle, port.host_name, message.build()).await
    }

    /// Sees to it that a bridge tells VLANs apart, and gives the one that its ports are in if nobody says otherwise; 0
    /// for none.
    async fn told_apart(&self, bridge: &str, managed: bool) -> Result<u16> {
        let (tells, usual) = netlink::bridge_vlans(&self.handle, bridge).await?;
        if tells {
            return Ok(usual);
        }
        if !managed {
            return Err(Error::NoVlans(bridge.to_owned()));
        }
        let message = LinkMessageBuilder::<LinkBridge>::new(bridge).vlan_filtering(true).build();
        let done = self.handle.link().change(message).execute().await;
        match done.map_err(netlink::failed("tell VLANs apart on", bridge)) {
            Err(Error::Netlink { source, .. })
                if source.raw_os_error() == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error()) =>
            {
                Err(Error::NoVlanKernel(bridge.to_owned()))
            }
            done => done.map(|()| usual),
        }
    }

    /// Sends what goes to these subnets to a port's bridge, or to the port where it is on none.
    pub(super) async fn set_routes(&self, port: &PortSpec<'_>) -> Result<()> {
        if port.routes.is_empty() {
            return Ok(());
        }
        let name = port.bridge.unwrap_or(port.host_name);
        let link = netlink::link(&self.handle, name).await?;
        let index = link.ok_or_else(|| Error::NoLink(name.to_owned()))?.index;
        for net in &port.routes {
            netlink::add_port_route(&self.handle, index, net.trunc()).await?;
        }
        Ok(())
    }

    /// Takes away routes that were given to a port on a bridge; those of other ports went with their links.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn unroute(&self, bridge: &str, routes: &[IpNet]) -> Result<()> {
        let Some(link) = netlink::link(&self.handle, bridge).await? else { return Ok(()) };
        for net in routes {
            netlink::remove_port_route(&self.handle, link.index, net.trunc()).await?;
        }
        Ok(())
    }
}

/// Whether a bridge tells VLANs apart, and which its ports are in usually.
pub(crate) fn of_bridge(attributes: &[LinkAttribute]) -> (bool, u16) {
    let infos = attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    let bridge = infos.flatten().filter_map(|info| match info {
        LinkInfo::Data(InfoData::Bridge(bridge)) => Some(bridge),
        _ => None,
    });
    bridge.flatten().fold((false, 1), |(tells, usual), info| match info {
        InfoBridge::VlanFiltering(tells) => (*tells, usual),
        InfoBridge::VlanDefaultPvid(usual) => (tells, *usual),
        _ => (tells, usual),
    })
}
