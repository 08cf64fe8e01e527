//! Profiles: options and devices that instances share.

use crate::{ConfigMap, DevicesMap};

api! {
    /// A profile.
    pub struct Profile {
        /// Name, unique in its project.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Options.
        pub config: ConfigMap,
        /// Devices.
        pub devices: DevicesMap,
        /// Addresses of the instances that use it.
        pub used_by: Vec<String>,
        /// Project it is in.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
    }

    /// A profile's changeable part, to replace it.
    pub struct ProfilePut {
        /// Options.
        pub config: ConfigMap,
        /// Free text.
        pub description: String,
        /// Devices.
        pub devices: DevicesMap,
    }

    /// A new profile.
    pub struct ProfilesPost {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Options.
        pub config: ConfigMap,
        /// Devices.
        pub devices: DevicesMap,
    }

    /// A profile's new name.
    pub struct ProfilePost {
        /// The name.
        pub name: String,
    }
}

impl Profile {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> ProfilePut {
        ProfilePut {
            config: self.config.clone(),
            description: self.description.clone(),
            devices: self.devices.clone(),
        }
    }
}
