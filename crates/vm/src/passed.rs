//! Devices of the server that a machine has for itself, as QEMU is told of them over QMP.
//!
//! A PCI device takes a place as any card does; the functions of one card stay one card. QEMU opens it by its group
//! (`/dev/vfio`), which is to be seen where it runs. A USB device's file it is given open, as a disk's is; it is
//! plugged into a controller that is there for those alone, and comes when the first of them does.

use std::os::fd::OwnedFd;

use options::PciAddress;

use crate::{
    Call, Layout, Qmp, Result,
    hardware::{forget_files, node, place, remove_device},
    host::UsbDevice,
};

/// The controller of the server's USB devices, and its bus. Of a screen's there is another.
const CONTROLLER: &str = "hostusb";
/// How many can be plugged into it, of each speed; QEMU has no more (`MAXPORTS_2`).
const PORTS: u32 = 15;

/// Plugs the functions of a PCI device, which vfio-pci has. Before the machine's first instruction only.
///
/// # Errors
/// There is no place for another card, or QEMU refuses it.
pub async fn add_pci(qmp: &Qmp, device: &str, functions: &[PciAddress]) -> Result<()> {
    let bus = place(qmp, &node(device), &Layout::default()).await?;
    qmp.run(pci(device, &bus, functions)).await
}

/// The first function comes last: with it the guest sees the card.
fn pci(device: &str, bus: &str, functions: &[PciAddress]) -> Vec<Call> {
    let several = functions.len() > 1;
    let call = |(at, address): (usize, &PciAddress)| {
        let id = if at == 0 { node(device) } else { format!("{}.{at}", node(device)) };
        let call = Call::new("device_add")
            .with("driver", "vfio-pci")
            .with("id", id)
            .with("host", address.to_string())
            .with("bus", bus);
        if several {
            call.with("addr", format!("0x0.{at}")).with("multifunction", true)
        } else {
            call
        }
    };
    functions.iter().enumerate().rev().map(call).collect()
}

/// What QEMU calls a USB device that a machine has by one of its devices.
pub fn usb_id(device: &str, found: &UsbDevice) -> String {
    format!("{}{}", usb_place(found), node(device))
}

/// What the names of a USB device begin with, whichever machine has it.
pub fn usb_place(found: &UsbDevice) -> String {
    format!("usb-{}-{}-", found.bus, found.number)
}

/// The USB devices that a machine has now, as QEMU calls them.
///
/// # Errors
/// QEMU does not say.
pub async fn usb_there(qmp: &Qmp) -> Result<Vec<String>> {
    of_kind(qmp, "child<usb-host>").await
}

async fn of_kind(qmp: &Qmp, kind: &str) -> Result<Vec<String>> {
    let list = Call::new("qom-list").with("path", "/machine/peripheral");
    let all = qmp.call(list).await?;
    let all = all.as_array().into_iter().flatten().filter(|it| it["type"] == kind);
    Ok(all.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect())
}

/// Plugs a USB device that is open.
///
/// # Errors
/// There is no place for the controller, or QEMU refuses; then it is as before.
pub async fn add_usb(qmp: &Qmp, id: &str, file: OwnedFd) -> Result<()> {
    if of_kind(qmp, "child<qemu-xhci>").await?.iter().all(|it| it != CONTROLLER) {
        let bus = place(qmp, CONTROLLER, &Layout::default()).await?;
        qmp.call(controller(&bus)).await?;
    }
    let given = qmp.call_with(Call::new("add-fd").with("opaque", id), vec![file]).await?;
    let set = given["fdset-id"].as_i64().unwrap_or_default();
    if let Err(error) = qmp.call(usb(id, set)).await {
        forget_files(qmp, id).await?;
        return Err(error);
    }
    Ok(())
}

fn controller(bus: &str) -> Call {
    Call::new("device_add")
        .with("driver", "qemu-xhci")
        .with("id", CONTROLLER)
        .with("p2", PORTS)
        .with("p3", PORTS)
        .with("bus", bus)
}

fn usb(id: &str, set: i64) -> Call {
    Call::new("device_add")
        .with("driver", "usb-host")
        .with("id", id)
        .with("bus", format!("{CONTROLLER}.0"))
        .with("hostdevice", format!("/dev/fdset/{set}"))
}

/// Takes a USB device from a machine; one that it does not have is Ok.
///
/// # Errors
/// QEMU refuses.
pub async fn remove_usb(qmp: &Qmp, id: &str) -> Result<()> {
    remove_device(qmp, id, id).await?;
    forget_files(qmp, id).await
}

#[cfg(test)]
mod tests {
    use options::Value;

    use super::*;

    fn lines(calls: &[Call]) -> String {
        let line = |call| serde_json::to_string(call).unwrap() + "\n";
        calls.iter().map(line).collect()
    }

    #[test]
    fn qemu_is_told_of_a_card_whole() {
        let at = |text| PciAddress::parse(text).unwrap();
        let mut calls = pci("gpu", "port0", &[at("01:00.0"), at("01:00.1")]);
        calls.extend(pci("net", "port1", &[at("0002:03:1f.7")]));
        calls.extend([controller("port2"), usb("usb-1-4-dev-stick", 3)]);
        crate::tests::compare("passed.txt", &lines(&calls));
    }
}
