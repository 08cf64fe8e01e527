//! From a device's options to the nodes that the server has for it now.

use std::{
    io::ErrorKind,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use options::device::{Device, Gpu, NodeAccess, NodeKind, Unix, UnixHotplug, Usb};
use rustix::fs::{major, minor};
use spec::{DeviceKind, DeviceNode};
use vm::host::{Error as HostError, Tree};

use super::{
    Need,
    kernel::{self, Card, Known},
};
use crate::{Error, Result};

/// The kernel's number of USB devices (its list `devices.txt`).
const USB_MAJOR: u32 = 189;
/// Of each bus there can be so many (`usb_alloc_dev`).
const USB_A_BUS: u32 = 128;

/// The nodes of a device; none where it is not there and need not be. `root` is where `sys` and `dev` are.
pub(super) fn find(
    root: &Path,
    name: &str,
    device: &Device,
    need: Need,
) -> Result<Vec<DeviceNode>> {
    let need = need == Need::AsRequired;
    let mut nodes = match device {
        Device::Unix(node) => unix(root, node, need && node.required)?.into_iter().collect(),
        Device::Usb(usb) => usbs(root, usb, need && usb.required)?,
        Device::Gpu(gpu) => cards(root, gpu, need)?,
        Device::Hotplug(plug) => plugs(root, plug, need && plug.required)?,
        _ => Vec::new(),
    };
    for node in &mut nodes {
        name.clone_into(&mut node.device);
    }
    Ok(nodes)
}

fn unix(root: &Path, wanted: &Unix, needed: bool) -> Result<Option<DeviceNode>> {
    let kind = match wanted.kind {
        NodeKind::Char => DeviceKind::Char,
        NodeKind::Block => DeviceKind::Block,
    };
    let number = match wanted.number() {
        Some(number) => number,
        None => match host_number(root, wanted, (kind, needed))? {
            Some(number) => number,
            None => return Ok(None),
        },
    };
    Ok(Some(node(wanted.path().to_owned(), kind, number, wanted.access)))
}

/// What the host's node stands for; `None` where there is none and need not be.
fn host_number(
    root: &Path,
    wanted: &Unix,
    (kind, needed): (DeviceKind, bool),
) -> Result<Option<(u32, u32)>> {
    let source = wanted.source();
    let there = match std::fs::metadata(beneath(root, source)) {
        Err(error) if error.kind() == ErrorKind::NotFound && !needed => return Ok(None),
        there => there.map_err(Error::file("find", source))?,
    };
    let (is, what) = match kind {
        DeviceKind::Char => (there.file_type().is_char_device(), "character"),
        DeviceKind::Block => (there.file_type().is_block_device(), "block"),
    };
    if !is {
        let why = format!("\"{}\" is no {what} device", source.display());
        return Err(Error::invalid("source", why));
    }
    Ok(Some((major(there.rdev()), minor(there.rdev()))))
}

fn usbs(root: &Path, wanted: &Usb, needed: bool) -> Result<Vec<DeviceNode>> {
    let found = Tree::new(root).usb(wanted);
    if found.is_empty() && needed {
        return Err(vm::Error::from(HostError::NoUsb { wanted: wanted.clone() }).into());
    }
    let of = |one: vm::host::UsbDevice| {
        let path = format!("/dev/bus/usb/{:03}/{:03}", one.bus, one.number);
        let number = one.bus.saturating_sub(1) * USB_A_BUS + one.number.saturating_sub(1);
        node(path.into(), DeviceKind::Char, (USB_MAJOR, number), wanted.access())
    };
    Ok(found.into_iter().map(of).collect())
}

fn cards(root: &Path, wanted: &Gpu, needed: bool) -> Result<Vec<DeviceNode>> {
    let cards = kernel::cards(root);
    let found: Vec<&Card> = cards.iter().filter(|card| card.fits(wanted, &cards)).collect();
    if found.is_empty() && needed {
        let mut there: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
        there.retain(|name| name.starts_with("card"));
        return Err(Error::NoCard { wanted: wanted.to_string(), there: there.join(", ") });
    }
    let of = |card: &&Card| {
        let path = format!("/dev/dri/{}", card.name);
        node(path.into(), DeviceKind::Char, card.number, wanted.access())
    };
    Ok(found.iter().map(of).collect())
}

fn plugs(root: &Path, wanted: &UnixHotplug, needed: bool) -> Result<Vec<DeviceNode>> {
    let access = (!wanted.ownership_inherit).then(|| wanted.access());
    let fitting = kernel::devices(root).into_iter().filter(|known| known.fits(wanted));
    let found: Vec<DeviceNode> =
        fitting.filter_map(|known| hotplugged(root, &known, access)).collect();
    if found.is_empty() && needed {
        return Err(Error::NoDevice { wanted: wanted.to_string() });
    }
    Ok(found)
}

/// With the host's owners where no others are given; `None` where the host's node has gone meanwhile.
fn hotplugged(root: &Path, known: &Known, access: Option<NodeAccess>) -> Option<DeviceNode> {
    let path = Path::new("/dev").join(&known.name);
    let made = DeviceNode {
        kind: known.kind,
        ..DeviceNode::character(&path, known.number.0, known.number.1)
    };
    match access {
        Some(access) => Some(node(path, known.kind, known.number, access)),
        None => {
            let there = std::fs::metadata(beneath(root, &path)).ok()?;
            let mode = there.mode() & 0o777;
            Some(DeviceNode { uid: there.uid(), gid: there.gid(), mode, ..made })
        }
    }
}

fn node(
    path: PathBuf,
    kind: DeviceKind,
    (major, minor): (u32, u32),
    access: NodeAccess,
) -> DeviceNode {
    let NodeAccess { uid, gid, mode } = access;
    let made = DeviceNode::character(path, major, minor);
    DeviceNode { kind, uid, gid, mode: mode.bits() & 0o777, ..made }
}

fn beneath(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use options::Raw;

    use super::*;

    fn device(pairs: &[(&str, &str)]) -> Device {
        Device::parse(&pairs.iter().copied().collect::<Raw>()).unwrap()
    }

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(root: &Path, path: &str, to: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, path).unwrap();
    }

    /// A serial adapter on USB, and a card that is on no PCI bus beside one that is, as on a Pi and on a PC.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        let usb = "sys/devices/platform/usb1/1-3";
        put(root, &format!("{usb}/idVendor"), "2341\n");
        put(root, &format!("{usb}/idProduct"), "0043\n");
        let tty = format!("{usb}/1-3:1.0/tty/ttyACM0");
        put(root, &format!("{tty}/uevent"), "MAJOR=166\nMINOR=0\nDEVNAME=ttyACM0\n");
        link(root, &format!("{tty}/subsystem"), "../../../../../../../class/tty");
        link(root, "sys/dev/char/166:0", "../../devices/platform/usb1/1-3/1-3:1.0/tty/ttyACM0");
        for (card, number, device) in [
            ("card0", "226:0", "platform/gpu"),
            ("renderD128", "226:128", "platform/gpu"),
            ("card1", "226:1", "pci0000:00/0000:01:00.0"),
        ] {
            put(root, &format!("sys/devices/{device}/drm/{card}/dev"), number);
            link(root, &format!("sys/devices/{device}/drm/{card}/device"), "../..");
            link(
                root,
                &format!("sys/class/drm/{card}"),
                &format!("../../devices/{device}/drm/{card}"),
            );
        }
        put(root, "sys/class/drm/card0-HDMI-A-1/dev", "");
        put(root, "sys/devices/pci0000:00/0000:01:00.0/vendor", "0x10de\n");
        put(root, "sys/devices/pci0000:00/0000:01:00.0/device", "0x2204\n");
        tree
    }

    fn found(root: &Path, pairs: &[(&str, &str)]) -> Vec<(String, u32, u32)> {
        let nodes = find(root, "x", &device(pairs), Need::AsRequired).unwrap();
        assert!(nodes.iter().all(|node| node.device == "x"));
        let shown = |it: DeviceNode| (it.path.display().to_string(), it.major, it.minor);
        nodes.into_iter().map(shown).collect()
    }

    #[test]
    fn graphics_cards_of_any_bus() {
        let tree = tree();
        let root = tree.path();
        let card0 = (String::from("/dev/dri/card0"), 226, 0);
        let render = (String::from("/dev/dri/renderD128"), 226, 128);
        let card1 = (String::from("/dev/dri/card1"), 226, 1);
        let all = [card0.clone(), card1.clone(), render.clone()];
        assert_eq!(found(root, &[("type", "gpu")]), all);
        assert_eq!(found(root, &[("type", "gpu"), ("id", "0")]), [card0, render]);
        let one = found(root, &[("type", "gpu"), ("vendorid", "10de")]);
        assert_eq!(one, std::slice::from_ref(&card1));
        assert_eq!(found(root, &[("type", "gpu"), ("pci", "01:00.0")]), [card1]);
        let none = find(root, "x", &device(&[("type", "gpu"), ("id", "7")]), Need::AsRequired);
        let none = none.unwrap_err();
        assert_eq!(
            none.to_string(),
            "no graphics card of this server fits \"id=7\"; there are: card0, card1"
        );
    }

    #[test]
    fn what_is_plugged_in_is_known_by_what_it_is_on() {
        let tree = tree();
        let root = tree.path();
        let acm = [(String::from("/dev/ttyACM0"), 166, 0)];
        let plug =
            |more: &[(&str, &str)]| found(root, &[&[("type", "unix-hotplug")], more].concat());
        assert_eq!(plug(&[("vendorid", "2341"), ("productid", "0043")]), acm);
        assert_eq!(plug(&[("subsystem", "tty")]), acm);
        assert_eq!(plug(&[("subsystem", "hidraw"), ("vendorid", "2341")]), []);
        assert_eq!(plug(&[("vendorid", "0bda")]), []);
        let required = [("type", "unix-hotplug"), ("vendorid", "0bda"), ("required", "true")];
        assert!(
            find(root, "x", &device(&required), Need::AsRequired)
                .unwrap_err()
                .to_string()
                .contains("0bda")
        );
    }

    #[test]
    fn nodes_of_the_host_are_what_they_stand_for() {
        let root = Path::new("/");
        let zero = [("type", "unix-char"), ("source", "/dev/zero"), ("path", "/dev/my/zero")];
        assert_eq!(found(root, &zero), [(String::from("/dev/my/zero"), 1, 5)]);
        let block = [("type", "unix-block"), ("path", "/dev/zero")];
        let wrong = find(root, "x", &device(&block), Need::AsRequired).unwrap_err();
        assert!(wrong.to_string().contains("\"/dev/zero\" is no block device"), "{wrong}");
        let absent = [("type", "unix-char"), ("path", "/dev/not/there")];
        let error = find(root, "x", &device(&absent), Need::AsRequired).unwrap_err();
        assert!(error.to_string().contains("/dev/not/there"), "{error}");
        assert_eq!(found(root, &[&absent[..], &[("required", "false")]].concat()), []);
        let given = [&absent[..], &[("major", "10"), ("minor", "9")]].concat();
        assert_eq!(found(root, &given), [(String::from("/dev/not/there"), 10, 9)]);
    }
}
