//! What cloud-init finds in the instance.

use std::collections::BTreeMap;

use crate::Options;

/// What cloud-init finds (`cloud-init.*`, and the older names beneath `user.`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "cloud-init")]
pub struct CloudInit {
    /// Network configuration for cloud-init.
    ///
    /// Without it the first network card asks for an address by DHCP.
    #[option(
        key = "cloud-init.network-config",
        apply = restart,
        condition = "image with cloud-init",
        since = "cloud_init"
    )]
    pub network_config: Option<String>,
    /// SSH key that a user of the instance accepts.
    ///
    /// Written as `user:key`, where the key is a public key or an account such as `gh:name`. It is
    /// merged into the vendor and user data.
    #[option(
        pattern = "cloud-init.ssh-keys.KEYNAME",
        apply = restart,
        condition = "image with cloud-init",
        since = "cloud_init_ssh_keys"
    )]
    pub ssh_keys: BTreeMap<String, String>,
    /// User data for cloud-init.
    #[option(
        key = "cloud-init.user-data",
        apply = restart,
        default_text = "`#cloud-config`",
        condition = "image with cloud-init",
        since = "cloud_init"
    )]
    pub user_data: Option<String>,
    /// Vendor data for cloud-init.
    ///
    /// User data wins where both say something.
    #[option(
        key = "cloud-init.vendor-data",
        apply = restart,
        default_text = "`#cloud-config`",
        condition = "image with cloud-init",
        since = "cloud_init"
    )]
    pub vendor_data: Option<String>,

    /// Older name of `cloud-init.network-config`.
    #[option(
        key = "user.network-config",
        apply = restart,
        condition = "image with cloud-init, and cloud-init.network-config not set"
    )]
    pub old_network_config: Option<String>,
    /// Older name of `cloud-init.user-data`.
    #[option(
        key = "user.user-data",
        apply = restart,
        condition = "image with cloud-init, and cloud-init.user-data not set"
    )]
    pub old_user_data: Option<String>,
    /// Older name of `cloud-init.vendor-data`.
    #[option(
        key = "user.vendor-data",
        apply = restart,
        condition = "image with cloud-init, and cloud-init.vendor-data not set"
    )]
    pub old_vendor_data: Option<String>,
}

impl CloudInit {
    /// The network configuration, by its newer or its older name.
    pub fn network_config(&self) -> Option<&str> {
        self.network_config.as_deref().or(self.old_network_config.as_deref())
    }

    /// The user data, by its newer or its older name.
    pub fn user_data(&self) -> Option<&str> {
        self.user_data.as_deref().or(self.old_user_data.as_deref())
    }

    /// The vendor data, by its newer or its older name.
    pub fn vendor_data(&self) -> Option<&str> {
        self.vendor_data.as_deref().or(self.old_vendor_data.as_deref())
    }
}
