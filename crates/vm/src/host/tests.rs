#![allow(clippy::unwrap_used, reason = "tests")]

//! On trees as the kernel shows them, made for the test.

use std::{fs, os::unix::fs::symlink};

use options::{
    DeviceId, Options, PciAddress, Raw, Value,
    device::{Gpu, Usb},
};
use tempfile::TempDir;

use super::*;

struct Made(TempDir);

impl Made {
    fn new() -> Made {
        let made = Made(tempfile::tempdir().unwrap());
        made.put("sys/bus/pci/drivers_probe", "");
        made
    }

    fn tree(&self) -> Tree {
        Tree::new(self.0.path())
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn said(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap()
    }

    fn link(&self, path: &str, to: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // It may lead elsewhere yet.
        let _ = fs::remove_file(&path);
        symlink(to, path).unwrap();
    }

    /// A device, of a class, with ids, in a group, under a driver.
    fn pci(&self, address: &str, class: &str, ids: (&str, &str), group: u32, driver: &str) {
        let folder = format!("sys/bus/pci/devices/{address}");
        for (name, text) in [("class", class), ("vendor", ids.0), ("device", ids.1)] {
            self.put(&format!("{folder}/{name}"), &format!("0x{text}\n"));
        }
        self.put(&format!("{folder}/driver_override"), "(null)\n");
        self.link(
            &format!("{folder}/iommu_group"),
            &format!("../../../kernel/iommu_groups/{group}"),
        );
        self.driver(address, driver);
    }

    fn driver(&self, address: &str, driver: &str) {
        self.put(&format!("sys/bus/pci/drivers/{driver}/unbind"), "");
        self.link(
            &format!("sys/bus/pci/devices/{address}/driver"),
            &format!("../../drivers/{driver}"),
        );
    }

    fn usb(&self, name: &str, place: (u32, u32), ids: (&str, &str), serial: &str) {
        let folder = format!("sys/bus/usb/devices/{name}");
        for (file, text) in [
            ("busnum", place.0.to_string()),
            ("devnum", place.1.to_string()),
            ("idVendor", ids.0.to_owned()),
            ("idProduct", ids.1.to_owned()),
            ("bDeviceClass", String::from("00")),
            ("serial", serial.to_owned()),
        ] {
            self.put(&format!("{folder}/{file}"), &format!("{text}\n"));
        }
    }
}

fn at(text: &str) -> PciAddress {
    PciAddress::parse(text).unwrap()
}

fn gpu(pairs: &[(&str, &str)]) -> Gpu {
    Gpu::parse(&pairs.iter().copied().collect::<Raw>()).unwrap()
}

fn usb(pairs: &[(&str, &str)]) -> Usb {
    Usb::parse(&pairs.iter().copied().collect::<Raw>()).unwrap()
}

/// Two graphics cards, one with its sound, and a network card that has its group to itself.
fn made() -> Made {
    let made = Made::new();
    made.pci("0000:00:01.0", "060400", ("8086", "1901"), 1, "pcieport");
    made.pci("0000:01:00.0", "030000", ("10de", "1b80"), 1, "nouveau");
    made.pci("0000:01:00.1", "040300", ("10de", "10f0"), 1, "snd_hda_intel");
    made.pci("0000:02:00.0", "030200", ("10de", "2204"), 2, "nouveau");
    made.pci("0000:03:00.0", "020000", ("8086", "10d3"), 3, "e1000e");
    made.link("sys/class/drm/card1/device", "../../../0000:02:00.0");
    made
}

#[test]
fn a_graphics_card_is_found_with_all_that_is_on_it() {
    let made = made();
    let tree = made.tree();
    let found = |pairs: &[(&str, &str)]| {
        tree.gpu(&gpu(pairs))
            .map(|all| all.iter().map(|it| it.address.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(found(&[("productid", "1b80")]).unwrap(), ["0000:01:00.0", "0000:01:00.1"]);
    assert_eq!(found(&[("pci", "02:00.0")]).unwrap(), ["0000:02:00.0"]);
    assert_eq!(found(&[("id", "1")]).unwrap(), ["0000:02:00.0"]);
    let many = found(&[("vendorid", "10de")]).unwrap_err().to_string();
    assert_eq!(
        many,
        "2 graphics cards of this server fit \"vendorid=10de\": name one by pci; there are 0000:01:00.0, 0000:02:00.0"
    );
    let none = found(&[("pci", "03:00.0")]).unwrap_err().to_string();
    assert!(none.contains("fits \"pci=0000:03:00.0\"; there are 0000:01:00.0"), "{none}");
    assert!(found(&[]).unwrap_err().to_string().starts_with("2 graphics cards"));
}

#[test]
fn what_cannot_be_kept_apart_is_refused() {
    let made = made();
    let tree = made.tree();
    let check = |address: &str, given: &[&str]| {
        let given: Vec<PciAddress> = given.iter().map(|text| at(text)).collect();
        tree.check_pci(&tree.pci(at(address)).unwrap(), &given).map_err(|error| error.to_string())
    };
    let error = check("03:00.0", &["03:00.0"]).unwrap_err();
    assert!(error.contains("modprobe vfio-pci"), "{error}");
    made.put("sys/bus/pci/drivers/vfio-pci/unbind", "");
    assert_eq!(check("03:00.0", &["03:00.0"]), Ok(()));
    let error = check("01:00.0", &["01:00.0"]).unwrap_err();
    assert!(
        error.contains("shares IOMMU group 1 with 0000:01:00.1 (driver snd_hda_intel)"),
        "{error}"
    );
    // The bridge above both stays the server's.
    assert_eq!(check("01:00.0", &["01:00.0", "01:00.1"]), Ok(()));
    fs::remove_file(made.0.path().join("sys/bus/pci/devices/0000:03:00.0/iommu_group")).unwrap();
    let error = check("03:00.0", &["03:00.0"]).unwrap_err();
    assert!(error.contains("0000:03:00.0 is in no IOMMU group"), "{error}");
    let error = tree.pci(at("09:00.0")).unwrap_err().to_string();
    assert!(error.contains("no PCI device 0000:09:00.0"), "{error}");
}

#[test]
fn a_device_goes_to_a_machine_and_back_to_its_driver() {
    let made = made();
    let (tree, card) = (made.tree(), "0000:03:00.0");
    let folder = format!("sys/bus/pci/devices/{card}");
    let bound = Bound::new("net", &tree.pci(at(card)).unwrap());
    // Nobody here acts on what is written: it says so.
    let error = tree.bind(at(card)).unwrap_err().to_string();
    assert!(error.contains("not taken by vfio-pci, but by e1000e"), "{error}");
    assert_eq!(made.said(&format!("{folder}/driver_override")), "vfio-pci");
    assert_eq!(made.said("sys/bus/pci/drivers/e1000e/unbind"), card);
    assert_eq!(made.said("sys/bus/pci/drivers_probe"), card);
    made.driver(card, "vfio-pci");
    tree.bind(at(card)).unwrap();

    made.put("sys/bus/pci/drivers_probe", "");
    tree.give_back(&bound).unwrap();
    assert!(made.said(&format!("{folder}/driver_override")).starts_with('\n'));
    assert_eq!(made.said("sys/bus/pci/drivers/vfio-pci/unbind"), card);
    assert_eq!(made.said("sys/bus/pci/drivers_probe"), card);

    // Once more is nothing: its driver has it, or it was pulled out.
    made.driver(card, "e1000e");
    made.put("sys/bus/pci/drivers_probe", "");
    tree.give_back(&bound).unwrap();
    assert_eq!(made.said("sys/bus/pci/drivers_probe"), "");
    fs::remove_dir_all(made.0.path().join(&folder)).unwrap();
    tree.give_back(&bound).unwrap();
}

#[test]
fn what_was_set_aside_for_machines_stays_so() {
    let made = made();
    let (tree, card) = (made.tree(), "0000:03:00.0");
    made.driver(card, "vfio-pci");
    let bound = Bound::new("net", &tree.pci(at(card)).unwrap());
    tree.bind(at(card)).unwrap();
    tree.give_back(&bound).unwrap();
    assert_eq!(made.said(&format!("sys/bus/pci/devices/{card}/driver_override")), "(null)\n");
    assert_eq!(made.said("sys/bus/pci/drivers_probe"), "");
}

#[test]
fn qemu_reaches_a_group_by_two_nodes() {
    let made = made();
    assert!(matches!(made.tree().nodes(3), Err(Error::NoVfio)));
    made.put("sys/class/misc/vfio/dev", "10:196\n");
    made.put("sys/class/vfio/3/dev", "241:5\n");
    let nodes = made.tree().nodes(3).unwrap();
    let shown = nodes.map(|it| format!("{} {}:{}", it.path.display(), it.major, it.minor));
    assert_eq!(shown, ["/dev/vfio/vfio 10:196", "/dev/vfio/3 241:5"]);
}

#[test]
fn usb_devices_are_found_by_what_they_are_and_where() {
    let made = Made::new();
    made.usb("1-1", (1, 4), ("0bda", "2838"), "one");
    made.usb("1-2", (1, 5), ("0bda", "2838"), "two");
    made.usb("usb1", (1, 1), ("1d6b", "0002"), "");
    made.put("sys/bus/usb/devices/usb1/bDeviceClass", "09\n");
    made.put("sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "ff\n");
    let tree = made.tree();
    let places = |pairs: &[(&str, &str)]| -> Vec<(u32, u32)> {
        tree.usb(&usb(pairs)).iter().map(|it| (it.bus, it.number)).collect()
    };
    assert_eq!(places(&[("vendorid", "0bda")]), [(1, 4), (1, 5)]);
    assert_eq!(places(&[("serial", "two")]), [(1, 5)]);
    assert_eq!(places(&[("busnum", "1"), ("devnum", "4")]), [(1, 4)]);
    // What others are plugged into stays.
    assert!(places(&[("vendorid", "1d6b")]).is_empty());
    let two = usb(&[("vendorid", "0bda")]);
    assert_eq!(two.vendorid, Some(DeviceId(0x0bda)));
    let error = tree.required_usb(&two).unwrap_err().to_string();
    assert!(error.starts_with("2 USB devices with vendorid=0bda are plugged"), "{error}");
    let error = tree.required_usb(&usb(&[("productid", "0001")])).unwrap_err().to_string();
    assert!(error.starts_with("no USB device with productid=0001 is plugged"), "{error}");
    let one = tree.required_usb(&usb(&[("serial", "one")])).unwrap();
    assert!(tree.open_usb(&one).unwrap_err().to_string().ends_with("dev/bus/usb/001/004"));
    made.put("dev/bus/usb/001/004", "");
    tree.open_usb(&one).unwrap();
}
