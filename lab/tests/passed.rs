//! Devices of the server that a virtual machine has for itself. What is here has none that could be given away: the
//! daemon is shown a made tree of the kernel's files, so that all is done but what a device would do.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use lab::{Client, Daemon, until};

/// The kernel's files, as far as the daemon reads and writes them.
struct Tree(PathBuf);

impl Tree {
    /// Two cards of one kind, each with a group of its own, one more without, and two sticks that are alike.
    fn make(daemon: &Daemon) -> Tree {
        let tree = Tree(daemon.scratch().join("devices"));
        tree.put("sys/bus/pci/drivers_probe", "");
        for (slot, class) in [("01", "030000"), ("02", "030000"), ("03", "020000")] {
            let device = format!("sys/bus/pci/devices/0000:{slot}:00.0");
            for (name, text) in [("class", class), ("vendor", "10de"), ("device", "2204")] {
                tree.put(&format!("{device}/{name}"), &format!("0x{text}\n"));
            }
            tree.put(&format!("{device}/driver_override"), "(null)\n");
            tree.put("sys/bus/pci/drivers/nouveau/unbind", "");
            tree.link(&format!("{device}/driver"), "../../drivers/nouveau");
            if slot != "03" {
                tree.link(
                    &format!("{device}/iommu_group"),
                    &format!("../../../../kernel/iommu_groups/{slot}"),
                );
            }
        }
        for number in [3, 4] {
            tree.stick(number);
        }
        tree
    }

    fn stick(&self, number: u32) {
        let device = format!("sys/bus/usb/devices/1-{number}");
        self.put(&format!("dev/bus/usb/001/{number:03}"), "");
        self.put(&format!("{device}/devnum"), &format!("{number}\n"));
        for (name, text) in [("idVendor", "0bda"), ("idProduct", "2838"), ("busnum", "1")] {
            self.put(&format!("{device}/{name}"), &format!("{text}\n"));
        }
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        let made = fs::create_dir_all(path.parent().unwrap_or(&self.0));
        made.and_then(|()| fs::write(&path, text)).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    }

    fn link(&self, path: &str, to: &str) {
        let path = self.0.join(path);
        symlink(to, &path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    }

    fn said(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }
}

#[test]
fn what_of_the_servers_devices_cannot_be_given_is_told() {
    let Some(mut daemon) = Daemon::machines() else { return };
    let tree = Tree::make(&daemon);
    daemon.stop();
    let shown = [("MICROCLOUD_TEST_DEVICES", tree.0.display().to_string())];
    assert!(daemon.try_launch(&shown), "{}", daemon.tail());

    daemon.lxc(["init", "tiny", "v", "--vm", "--device", "root,size=16MiB"]).ok();
    let add = |words: &[&str]| {
        daemon.run(Client::Lxc, &[&["config", "device", "add", "v", "x"], words].concat())
    };
    let remove = || {
        daemon.lxc(["config", "device", "remove", "v", "x"]).ok();
    };
    add(&["pci", "address=eth0"]).fails_with("such as 0000:01:00.0");
    add(&["unix-char", "path=/dev/zero"]).fails_with("only containers can have one");
    add(&["gpu", "gputype=mdev"]).fails_with("not supported yet; supported are physical");
    add(&["usb"]).fails_with("\"vendorid\" must be set");

    // What is wrong with a device is seen when the machine starts, where it does.
    let refused = |device: &[&str], words: &str| {
        add(device).ok();
        let said = daemon.lxc(["start", "v"]).fails_with(words);
        assert!(said.contains("device \"x\""), "{said}");
        assert_eq!(daemon.status("v"), "Stopped");
        remove();
    };
    refused(&["pci", "address=09:00.0"], "there is no PCI device 0000:09:00.0");
    refused(&["gpu"], "2 graphics cards of this server fit");
    refused(&["gpu", "vendorid=8086"], "there are 0000:01:00.0, 0000:02:00.0");
    refused(&["pci", "address=01:00.0"], "modprobe vfio-pci");
    tree.put("sys/bus/pci/drivers/vfio-pci/unbind", "");
    refused(&["pci", "address=0000:03:00.0"], "0000:03:00.0 is in no IOMMU group");
    // Nobody does here what the kernel would; so the card is asked for, not had, and let go again.
    refused(&["gpu", "pci=0000:01:00.0"], "not taken by vfio-pci, but by nouveau");
    assert_eq!(tree.said("sys/bus/pci/drivers/nouveau/unbind"), "0000:01:00.0");
    let wish = tree.said("sys/bus/pci/devices/0000:01:00.0/driver_override");
    assert!(wish.starts_with('\n'), "{wish:?}");
    refused(&["usb", "productid=0001", "required=true"], "no USB device with productid=0001");
    refused(&["usb", "vendorid=0bda", "required=true"], "2 USB devices with vendorid=0bda");

    // One that fits and is none: who requires it is told, who does not goes on.
    refused(&["usb", "devnum=3", "required=true"], "failed to open host usb device");
    add(&["usb", "vendorid=0bda"]).ok();
    daemon.lxc(["start", "v"]).ok();
    daemon.says("v", "guest is up");
    tree.stick(5);
    until("the one that came is tried, too", || daemon.log().contains("usb-1-5-").then_some(()));

    // While it runs: what is plugged at its start neither comes nor goes, nor does its memory.
    remove();
    add(&["pci", "address=01:00.0"]).fails_with("stop it first");
    add(&["usb", "serial=none", "required=true"]).fails_with("no USB device with serial=none");
    add(&["usb", "serial=none"]).ok();
    daemon.lxc(["config", "set", "v", "migration.stateful=true"]).ok();
    daemon.lxc(["stop", "v", "--stateful"]).fails_with("is a device of this server");
    assert_eq!(daemon.status("v"), "Running");
    daemon.lxc(["delete", "v", "--force"]).ok();
    daemon.no_instance_left();
}
