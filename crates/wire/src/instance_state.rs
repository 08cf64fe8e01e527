//! What an instance uses while it runs.

use std::collections::BTreeMap;

use crate::StatusCode;

api! {
    /// What an instance uses now.
    pub struct InstanceState {
        /// `Running`, `Stopped`, `Frozen` or `Error`.
        pub status: String,
        /// The same as a number.
        pub status_code: StatusCode,
        /// Use of each disk by the device's name; only where the driver can tell.
        pub disk: BTreeMap<String, InstanceStateDisk>,
        /// Use of memory.
        pub memory: InstanceStateMemory,
        /// Interfaces by their name inside; absent when it does not run.
        pub network: Option<BTreeMap<String, InstanceStateNetwork>>,
        /// Process id of the first process as the host sees it; 0 when it does not run.
        pub pid: i64,
        /// Number of processes; -1 when not known, 0 when it does not run.
        pub processes: i64,
        /// Use of processors.
        pub cpu: InstanceStateCpu,
    }

    /// Use of a disk.
    pub struct InstanceStateDisk {
        /// Bytes used.
        pub usage: u64,
        /// Bytes there are; 0 when there is no limit.
        pub total: u64,
    }

    /// Use of processors.
    pub struct InstanceStateCpu {
        /// Nanoseconds.
        pub usage: u64,
    }

    /// Use of memory, in bytes.
    pub struct InstanceStateMemory {
        /// Now.
        pub usage: u64,
        /// At most so far.
        pub usage_peak: u64,
        /// There is; 0 when there is no limit.
        pub total: u64,
        /// Swap now.
        pub swap_usage: u64,
        /// Swap at most so far.
        pub swap_usage_peak: u64,
    }

    /// A network interface inside.
    pub struct InstanceStateNetwork {
        /// Its addresses.
        pub addresses: Vec<InstanceStateNetworkAddress>,
        /// Its counters.
        pub counters: InstanceStateNetworkCounters,
        /// MAC address.
        pub hwaddr: String,
        /// Name of the host's end.
        pub host_name: String,
        /// Largest packet, bytes.
        pub mtu: u32,
        /// `up` or `down`.
        pub state: String,
        /// `broadcast`, `loopback`, `point-to-point`.
        pub r#type: String,
    }

    /// An address of an interface.
    pub struct InstanceStateNetworkAddress {
        /// `inet` or `inet6`.
        pub family: String,
        /// The address.
        pub address: String,
        /// Length of the prefix, decimal.
        pub netmask: String,
        /// `local`, `link` or `global`.
        pub scope: String,
    }

    /// Counters of an interface, as seen from inside.
    pub struct InstanceStateNetworkCounters {
        /// Bytes in.
        pub bytes_received: u64,
        /// Bytes out.
        pub bytes_sent: u64,
        /// Packets in.
        pub packets_received: u64,
        /// Packets out.
        pub packets_sent: u64,
        /// Errors in.
        pub errors_received: u64,
        /// Errors out.
        pub errors_sent: u64,
        /// Packets thrown away, out.
        pub packets_dropped_outbound: u64,
        /// Packets thrown away, in.
        pub packets_dropped_inbound: u64,
    }
}
