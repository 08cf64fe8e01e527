//! USB devices of the host.

use std::fmt;

use super::NodeAccess;
use crate::{DeviceId, FileMode, Options, Problem};

/// Options of USB devices of the host that an instance has: all that fit.
#[derive(Debug, Clone, PartialEq, Eq, Options)]
#[options(entity = "device-unix-usb", group = "device-conf", check = Self::consistent)]
pub struct Usb {
    /// Who made it, such as `0bda`.
    #[option(key = "vendorid")]
    pub vendorid: Option<DeviceId>,
    /// What it is among those of its maker.
    #[option(key = "productid")]
    pub productid: Option<DeviceId>,
    /// Its serial number.
    #[option(key = "serial")]
    pub serial: Option<String>,
    /// The bus it is plugged into.
    #[option(key = "busnum")]
    pub busnum: Option<u32>,
    /// Its number on the bus, which is another one each time it is plugged in.
    #[option(key = "devnum")]
    pub devnum: Option<u32>,
    /// Whether the instance fails to start without it.
    ///
    /// Then exactly one must fit that a virtual machine gets. Others come and go with what is plugged into the host.
    #[option(key = "required", default = "false")]
    pub required: bool,
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

impl Usb {
    /// Who may use them in a container.
    pub fn access(&self) -> NodeAccess {
        NodeAccess { uid: self.uid, gid: self.gid, mode: self.mode }
    }

    fn consistent(&self) -> Vec<Problem> {
        let ids = [self.vendorid, self.productid].iter().any(Option::is_some);
        let places = [self.busnum, self.devnum].iter().any(Option::is_some);
        let missing = || {
            Problem::missing(
                "vendorid",
                "or productid, serial, busnum or devnum: which devices it is",
            )
        };
        (!ids && !places && self.serial.is_none()).then(missing).into_iter().collect()
    }
}

impl fmt::Display for Usb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::told(
            f,
            &[
                ("vendorid", self.vendorid.map(|it| it.to_string())),
                ("productid", self.productid.map(|it| it.to_string())),
                ("serial", self.serial.clone()),
                ("busnum", self.busnum.map(|it| it.to_string())),
                ("devnum", self.devnum.map(|it| it.to_string())),
            ],
        )
    }
}
