//! PCI devices of the host.

use crate::{Options, PciAddress, Problem};

/// Options of a PCI device of the host that a virtual machine has for itself.
#[derive(Debug, Clone, PartialEq, Eq, Options)]
#[options(entity = "device-pci", group = "device-conf", check = Self::consistent)]
pub struct Pci {
    /// Where it is on the host's bus, such as `0000:01:00.0`.
    #[option(key = "address", condition = "virtual machine")]
    pub address: Option<PciAddress>,
}

impl Pci {
    fn consistent(&self) -> Vec<Problem> {
        let missing = || Problem::missing("address", "a PCI address such as 0000:01:00.0");
        self.address.is_none().then(missing).into_iter().collect()
    }
}
