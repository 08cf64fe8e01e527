//! Networks, their state and their leases.

use crate::ConfigMap;

api! {
    /// A network: one this server manages, or an interface of the host.
    pub struct Network {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// `bridge`, `ovn`, `macvlan`, `sriov`, `physical`; for interfaces of the host also `loopback`, `vlan`, `bond`
        /// and the like.
        pub r#type: String,
        /// Whether this server manages it.
        pub managed: bool,
        /// `Pending`, `Created`, `Errored`, `Unknown`; empty for an interface of the host.
        pub status: String,
        /// Options.
        pub config: ConfigMap,
        /// Addresses of what uses it.
        pub used_by: Vec<String>,
        /// Members it is on.
        pub locations: Vec<String>,
        /// Project it is in.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
    }

    /// A network's changeable part, to replace it.
    pub struct NetworkPut {
        /// Options.
        pub config: ConfigMap,
        /// Free text.
        pub description: String,
    }

    /// A new network.
    pub struct NetworksPost {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Kind; empty is `bridge`.
        pub r#type: String,
        /// Options.
        pub config: ConfigMap,
    }

    /// A network's new name.
    pub struct NetworkPost {
        /// The name.
        pub name: String,
    }

    /// An address that was given out.
    pub struct NetworkLease {
        /// Name of the host.
        pub hostname: String,
        /// MAC address.
        pub hwaddr: String,
        /// The address.
        pub address: String,
        /// `static`, `dynamic` or `gateway`.
        pub r#type: String,
        /// Member it was found on.
        pub location: String,
        /// Project of the instance.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
    }

    /// A network's state on this member.
    pub struct NetworkState {
        /// Addresses.
        pub addresses: Vec<NetworkStateAddress>,
        /// Counters.
        pub counters: NetworkStateCounters,
        /// MAC address.
        pub hwaddr: String,
        /// Largest packet, bytes.
        pub mtu: u32,
        /// `up` or `down`.
        pub state: String,
        /// `broadcast`, `loopback`, `point-to-point`.
        pub r#type: String,
        /// For a bond.
        pub bond: Option<NetworkStateBond>,
        /// For a bridge.
        pub bridge: Option<NetworkStateBridge>,
        /// For a VLAN.
        pub vlan: Option<NetworkStateVlan>,
        /// For an OVN network.
        pub ovn: Option<NetworkStateOvn>,
    }

    /// An address of a network.
    pub struct NetworkStateAddress {
        /// `inet` or `inet6`.
        pub family: String,
        /// The address.
        pub address: String,
        /// Length of the prefix, decimal.
        pub netmask: String,
        /// `local`, `link` or `global`.
        pub scope: String,
    }

    /// Counters of a network.
    pub struct NetworkStateCounters {
        /// Bytes in.
        pub bytes_received: u64,
        /// Bytes out.
        pub bytes_sent: u64,
        /// Packets in.
        pub packets_received: u64,
        /// Packets out.
        pub packets_sent: u64,
    }

    /// State of a bond.
    pub struct NetworkStateBond {
        /// How it spreads packets.
        pub mode: String,
        /// What it spreads them by.
        pub transmit_policy: String,
        /// Milliseconds until a link counts as up.
        pub up_delay: u64,
        /// Milliseconds until a link counts as down.
        pub down_delay: u64,
        /// Milliseconds between two looks at the link.
        pub mii_frequency: u64,
        /// `up` or `down`.
        pub mii_state: String,
        /// Its members.
        pub lower_devices: Vec<String>,
    }

    /// State of a bridge.
    pub struct NetworkStateBridge {
        /// Its id.
        pub id: String,
        /// Whether it speaks the spanning tree protocol.
        pub stp: bool,
        /// Milliseconds until a new port passes packets.
        pub forward_delay: u64,
        /// VLAN of ports that name none.
        pub vlan_default: u64,
        /// Whether it knows VLANs.
        pub vlan_filtering: bool,
        /// Its ports.
        pub upper_devices: Vec<String>,
    }

    /// State of a VLAN.
    pub struct NetworkStateVlan {
        /// Interface beneath it.
        pub lower_device: String,
        /// Number of the VLAN.
        pub vid: u64,
    }

    /// State of an OVN network.
    pub struct NetworkStateOvn {
        /// Member that is its gateway.
        pub chassis: String,
    }
}

impl Network {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> NetworkPut {
        NetworkPut { config: self.config.clone(), description: self.description.clone() }
    }
}
