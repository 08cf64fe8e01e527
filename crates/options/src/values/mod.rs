//! The types of option values. Each type is its own validator: [`Value::parse`].

use std::fmt;

use crate::Kind;

pub use arguments::Arguments;
pub use bitrate::BitRate;
pub(crate) use choice::choice;
pub use compression::{Algorithm, Compression};
pub use cpu::{CpuAllowance, CpuLimit, CpuSet};
pub use cron::Cron;
pub use device_ids::{DeviceId, PciAddress};
pub use disk_rate::DiskRate;
pub use domain::Domain;
pub use expiry::Expiry;
pub use file_mode::FileMode;
pub use file_system::{FileSystemName, FuseProgram};
pub use idmap::{IdRange, IdmapEntry, IdmapSide};
pub use integer::{Bounded, Weight};
pub use interface::InterfaceName;
pub use kernel_limit::KernelLimit;
pub use lease_time::LeaseTime;
pub use list::{Lines, List};
pub use listen::ListenAddress;
pub use mac::Mac;
pub use memory::MemoryLimit;
pub use module_name::ModuleName;
pub use path::AbsolutePath;
pub use pool_volume::PoolVolume;
pub use proxy_address::{Protocol, ProxyAddress};
pub use ranges::{Ipv4Range, Ipv6Range};
pub use retention::Retention;
pub use seccomp::SeccompProfile;
pub use setting::{OrNone, Setting};
pub use size::Size;
pub use snapshot_pattern::SnapshotPattern;
pub use uplink_subnet::UplinkSubnet;
pub use url::Url;
pub use vlans::{Vlan, Vlans};

mod arguments;
mod bitrate;
mod boolean;
mod choice;
mod compression;
mod cpu;
mod cron;
mod device_ids;
mod disk_rate;
mod domain;
mod expiry;
mod file_mode;
mod file_system;
mod idmap;
mod integer;
mod interface;
mod ip;
mod kernel_limit;
mod lease_time;
mod list;
mod listen;
mod mac;
mod memory;
mod module_name;
mod path;
mod pool_volume;
mod proxy_address;
mod ranges;
mod retention;
mod seccomp;
mod setting;
mod size;
mod snapshot_pattern;
mod text;
mod uplink_subnet;
mod url;
mod vlans;

#[cfg(test)]
mod tests;

/// A type of option values. Its `Display` gives a text that parses to the same value.
pub trait Value: Sized + fmt::Display {
    /// What sort of values these are.
    const KIND: Kind;

    /// Parses a text that is not empty. The error says what is allowed.
    fn parse(text: &str) -> Result<Self, String>;
}

/// Implements [`Value`] for a type whose `FromStr` accepts just the right texts, or by a function
/// `fn(&str) -> Option<Self>`.
macro_rules! value {
    ($type:ty, $name:literal, $allowed:literal) => {
        $crate::values::value!($type, $name, $allowed, |text: &str| text.parse().ok());
    };
    ($type:ty, $name:literal, $allowed:literal, $parse:expr) => {
        impl $crate::Value for $type {
            const KIND: $crate::Kind = $crate::Kind::Form { name: $name, allowed: $allowed };

            fn parse(text: &str) -> Result<Self, String> {
                let parse: fn(&str) -> Option<Self> = $parse;
                parse(text).ok_or_else(|| $allowed.to_owned())
            }
        }
    };
}
pub(crate) use value;
