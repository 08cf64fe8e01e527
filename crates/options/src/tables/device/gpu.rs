//! Graphics cards of the host.

use std::fmt;

use super::NodeAccess;
use crate::{DeviceId, FileMode, Options, PciAddress, Problem};

/// Options of a graphics card of the host.
///
/// A virtual machine has it for itself; without any option it is the only one that there is. A container shares
/// all that fit with the host.
#[derive(Debug, Clone, PartialEq, Eq, Options)]
#[options(entity = "device-gpu-physical", group = "device-conf", check = Self::consistent)]
pub struct Gpu {
    /// Number of the card on the host: `0` is that of `/dev/dri/card0`.
    #[option(key = "id")]
    pub id: Option<u32>,
    /// Where it is on the host's PCI bus, such as `0000:01:00.0`.
    #[option(key = "pci")]
    pub pci: Option<PciAddress>,
    /// Who made it, such as `10de`.
    #[option(key = "vendorid")]
    pub vendorid: Option<DeviceId>,
    /// What it is among those of its maker.
    #[option(key = "productid")]
    pub productid: Option<DeviceId>,
    /// User in a container.
    #[option(key = "uid", default = "0", condition = "container")]
    pub uid: u32,
    /// Group in a container.
    #[option(key = "gid", default = "0", condition = "container")]
    pub gid: u32,
    /// Mode in a container.
    #[option(key = "mode", default = "0660", condition = "container")]
    pub mode: FileMode,
}

impl Gpu {
    /// Who may use its nodes in a container.
    pub fn access(&self) -> NodeAccess {
        NodeAccess { uid: self.uid, gid: self.gid, mode: self.mode }
    }

    fn consistent(&self) -> Vec<Problem> {
        let others = self.id.is_some() || self.vendorid.is_some() || self.productid.is_some();
        let both =
            || Problem::conflict("pci", "cannot be set together with id, vendorid or productid");
        (self.pci.is_some() && others).then(both).into_iter().collect()
    }
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::told(
            f,
            &[
                ("id", self.id.map(|it| it.to_string())),
                ("pci", self.pci.map(|it| it.to_string())),
                ("vendorid", self.vendorid.map(|it| it.to_string())),
                ("productid", self.productid.map(|it| it.to_string())),
            ],
        )
    }
}
