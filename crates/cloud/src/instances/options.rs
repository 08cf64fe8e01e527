//! Options and devices of instances and profiles, parsed.

use std::collections::BTreeMap;

use options::{
    Options, Raw,
    device::{Device, Devices, Disk},
    instance::InstanceOptions,
};

use crate::{Error, Result, expand::Expanded};

/// An instance's expanded options and devices as types.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) options: InstanceOptions,
    pub(crate) devices: BTreeMap<String, Device>,
}

impl Typed {
    /// Parses what an instance is with its profiles.
    pub(crate) fn parse(expanded: &Expanded) -> Result<Typed> {
        let options = InstanceOptions::parse(&expanded.config)?;
        Ok(Typed { options, devices: expanded.devices.parse()? })
    }

    /// Parses it and checks that it can run: it needs a root disk.
    pub(crate) fn parse_whole(expanded: &Expanded) -> Result<Typed> {
        let typed = Typed::parse(expanded)?;
        typed.root_pool()?;
        Ok(typed)
    }

    /// The pool that holds the root.
    pub(crate) fn root_pool(&self) -> Result<&str> {
        let roots = self.devices.values().filter_map(|device| match device {
            Device::Disk(disk) if disk.is_root() => disk.pool.as_deref(),
            _ => None,
        });
        let pools: Vec<&str> = roots.collect();
        match pools[..] {
            [pool] => Ok(pool),
            [] => Err(Error::invalid(
                "devices",
                "no root disk: a device of type disk with path=/ and a pool is needed, \
                 such as the profile \"default\" has after `microcloud init`",
            )),
            _ => Err(Error::invalid("devices", "more than one disk has path=/")),
        }
    }

    /// The root disk.
    pub(crate) fn root(&self) -> Option<&Disk> {
        self.devices.values().filter_map(Device::disk).find(|disk| disk.is_root())
    }

    /// The bytes that a machine's memory may take on disk.
    pub(crate) fn state_size(&self) -> Option<u64> {
        self.root()?.size_state.map(|size| size.bytes())
    }

    /// The size the root disk is to have, in bytes.
    pub(crate) fn root_size(&self) -> Option<u64> {
        self.root()?.size.map(|size| size.bytes())
    }
}

/// Checks a profile's options and devices.
pub(crate) fn check_shared(config: &Raw, devices: &Devices) -> Result<()> {
    InstanceOptions::parse_profile(config)?;
    devices.parse()?;
    Ok(())
}
