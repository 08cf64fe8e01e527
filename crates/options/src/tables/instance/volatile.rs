//! What the server remembers of an instance.

use std::collections::BTreeMap;

use crate::values::choice;
use crate::{InterfaceName, Mac, Options};

/// What the server remembers (`volatile.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "volatile")]
pub struct Volatile {
    /// Whether a firmware forgets its variables at the next start.
    #[option(key = "volatile.apply_nvram", condition = "virtual machine")]
    pub apply_nvram: Option<bool>,
    /// Event whose templates are applied at the next start.
    #[option(key = "volatile.apply_template")]
    pub apply_template: Option<String>,
    /// Fingerprint of the image that the instance was made from.
    #[option(key = "volatile.base_image")]
    pub base_image: Option<String>,
    /// Instance id that cloud-init sees.
    ///
    /// It changes when cloud-init is to run again.
    #[option(key = "volatile.cloud-init.instance-id", since = "cloud_init")]
    pub cloud_init_instance_id: Option<String>,
    /// Cluster group that the instance was last placed by.
    #[option(key = "volatile.cluster.group")]
    pub cluster_group: Option<String>,
    /// Member that the instance comes back to after an evacuation.
    #[option(key = "volatile.evacuate.origin", since = "clustering_evacuation")]
    pub evacuate_origin: Option<String>,
    /// First id of the host in the instance's map.
    #[option(key = "volatile.idmap.base")]
    pub idmap_base: Option<u32>,
    /// Id map of the running instance, as JSON.
    #[option(key = "volatile.idmap.current")]
    pub idmap_current: Option<String>,
    /// Id map of the next start, as JSON.
    #[option(key = "volatile.idmap.next")]
    pub idmap_next: Option<String>,
    /// Id map by which the files of the root volume are owned, as JSON.
    #[option(key = "volatile.last_state.idmap")]
    pub last_state_idmap: Option<String>,
    /// State in which the server left the instance.
    #[option(key = "volatile.last_state.power")]
    pub last_state_power: Option<PowerState>,
    /// Whether the instance said that it is ready, since it was started.
    #[option(key = "volatile.last_state.ready", since = "instance_ready_state")]
    pub last_state_ready: Option<bool>,
    /// Identity of the instance over its whole life.
    #[option(key = "volatile.uuid")]
    pub uuid: Option<String>,
    /// Identity that changes when the instance goes back in time.
    #[option(key = "volatile.uuid.generation")]
    pub uuid_generation: Option<String>,

    /// Size that a disk gets at the next start.
    #[option(pattern = "volatile.<name>.apply_quota")]
    pub apply_quota: BTreeMap<String, String>,
    /// Name of a network card's link on the host.
    #[option(pattern = "volatile.<name>.host_name")]
    pub host_name: BTreeMap<String, InterfaceName>,
    /// Hardware address of a network card that has none in its options.
    #[option(pattern = "volatile.<name>.hwaddr")]
    pub hwaddr: BTreeMap<String, Mac>,
    /// Name inside of a network card that has none in its options.
    #[option(pattern = "volatile.<name>.name")]
    pub name: BTreeMap<String, InterfaceName>,
    /// Whether the server made the link that a network card is on.
    #[option(pattern = "volatile.<name>.last_state.created")]
    pub last_state_created: BTreeMap<String, bool>,
    /// Hardware address that a link had before an instance got it.
    #[option(pattern = "volatile.<name>.last_state.hwaddr")]
    pub last_state_hwaddr: BTreeMap<String, Mac>,
    /// MTU that a link had before an instance got it.
    #[option(pattern = "volatile.<name>.last_state.mtu")]
    pub last_state_mtu: BTreeMap<String, u32>,
}

choice! {
    /// The state in which the server left an instance.
    pub enum PowerState {
        Running = "RUNNING",
        Stopped = "STOPPED",
        Ready = "READY",
        Broken = "BROKEN",
    }
}

/// The key of what the server remembers of a device: `volatile.<device>.<what>`.
pub fn device_key(device: &str, what: &str) -> String {
    format!("volatile.{device}.{what}")
}
