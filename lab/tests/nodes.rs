//! Device nodes of the server in containers.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use lab::{Client, Daemon, host, until};

fn add(daemon: &Daemon, name: &str, words: &[&str]) -> lab::Run {
    daemon.run(Client::Lxc, &[&["config", "device", "add", name], words].concat())
}

/// A loop device with a word in it, detached at the end.
struct Loop(String);

impl Loop {
    fn new(folder: &Path) -> Option<Loop> {
        let file = folder.join("disk");
        let mut text = String::from("precious");
        text.push_str(&"\0".repeat(4096 - text.len()));
        fs::write(&file, text).unwrap_or_else(|e| panic!("{file:?}: {e}"));
        let file = file.display().to_string();
        let attached = host(&["losetup", "--find", "--show", &file]);
        (attached.status == 0).then(|| Loop(attached.text()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        drop(host(&["losetup", "--detach", &self.0]));
    }
}

#[test]
fn nodes_come_change_and_go() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let zero = ["zero", "unix-char", "source=/dev/zero", "path=/dev/my/zero"];
    add(&daemon, "x", &zero).ok();
    let bytes = "head -c 3 /dev/my/zero | wc -c; stat -c %u:%g:%a /dev/my/zero";
    assert_eq!(daemon.sh("x", bytes).text(), "3\n0:0:660");
    let words = ["config", "device", "set", "x", "zero", "uid=7", "gid=8", "mode=0604"];
    daemon.lxc(words).ok();
    assert_eq!(daemon.sh("x", bytes).text(), "3\n7:8:604");
    // A daemon that comes later knows them, and so does the next start.
    daemon.kill9();
    daemon.launch();
    assert_eq!(daemon.sh("x", bytes).text(), "3\n7:8:604");
    daemon.lxc(["config", "device", "set", "x", "zero", "path=/dev/naught"]).ok();
    daemon.sh("x", "test -c /dev/naught && test ! -e /dev/my/zero").ok();
    daemon.cli(["restart", "x", "--force"]).ok();
    daemon.sh("x", "test -c /dev/naught && test ! -e /dev/my/zero").ok();
    // A link that its root has put in the way leads nowhere, neither to make nor to remove.
    daemon.sh("x", "ln -s /tmp /dev/way").ok();
    let over = ["config", "device", "set", "x", "zero", "path=/dev/way/microcloud-zero"];
    daemon.lxc(over).fails_with("way");
    assert!(!Path::new("/tmp/microcloud-zero").exists());
    daemon.sh("x", "test -c /dev/naught && test ! -e /tmp/microcloud-zero").ok();
    daemon.lxc(["config", "device", "remove", "x", "zero"]).ok();
    daemon.sh("x", "test ! -e /dev/naught").ok();

    let before = daemon.get("/1.0/instances/x");
    add(&daemon, "x", &["y", "unix-char", "path=/dev/not/there"]).fails_with("/dev/not/there");
    add(&daemon, "x", &["y", "unix-block", "path=/dev/zero"]).fails_with("no block device");
    add(&daemon, "x", &["y", "unix-char", "source=/etc/x"]).fails_with("below /dev");
    add(&daemon, "x", &["y", "unix-hotplug", "vendorid=0bda", "required=true"])
        .fails_with("vendorid=0bda");
    add(&daemon, "x", &["y", "pci", "address=01:00.0"]).fails_with("only virtual machines");
    add(&daemon, "x", &["y", "unix-char", "path=/dev/pts"]).fails_with("/dev/pts");
    assert_eq!(daemon.get("/1.0/instances/x"), before);
    // One that is required and is missing keeps it from starting.
    let late = daemon.scratch().join("late").display().to_string();
    host(&["mknod", &late, "c", "1", "5"]).ok();
    add(&daemon, "x", &["y", "unix-char", &format!("source={late}"), "path=/dev/late"]).ok();
    fs::remove_file(&late).unwrap_or_else(|e| panic!("{e}"));
    daemon.cli(["restart", "x", "--force"]).fails_with(&late);
    daemon.lxc(["config", "device", "set", "x", "y", "required=false"]).ok();
    daemon.cli(["start", "x"]).ok();
    daemon.sh("x", "test ! -e /dev/late").ok();
    host(&["mknod", &late, "c", "1", "5"]).ok();
    let there = |word: &str| {
        until("the node comes or goes", || {
            let there = daemon.sh("x", "test -c /dev/late && echo there; true").text();
            (there == word).then_some(())
        });
    };
    there("there");
    fs::remove_file(&late).unwrap_or_else(|e| panic!("{e}"));
    there("");
    daemon.cli(["delete", "x", "--force"]).ok();
    daemon.no_instance_left();
}

#[test]
fn disks_as_they_are_are_only_of_who_was_given_them() {
    let Some(daemon) = Daemon::ready() else { return };
    let Some(disk) = Loop::new(&daemon.scratch()) else {
        return lab::skip("no loop devices");
    };
    daemon.busybox("x");
    daemon.cli(["launch", "local:busybox", "p", "--config", "security.privileged=true"]).ok();
    let read = |name: &str| daemon.sh(name, "head -c 8 /dev/disk 2>/dev/null; true").text();
    let numbers = host(&["stat", "-c", "%t %T", &disk.0]).text();
    let minor = u32::from_str_radix(numbers.split(' ').nth(1).unwrap_or_default(), 16);
    let minor = minor.unwrap_or_else(|e| panic!("{numbers}: {e}"));
    // The root of a privileged container can make any node, and opens none that it was not given.
    daemon.sh("p", &format!("mknod /root/own b 7 {minor}")).ok();
    let own = || daemon.sh("p", "head -c 8 /root/own 2>/dev/null; true").text();
    assert_eq!(own(), "");
    for name in ["x", "p"] {
        assert_eq!(read(name), "");
        let source = format!("source={}", disk.0);
        add(&daemon, name, &["disk", "unix-block", &source, "path=/dev/disk"]).ok();
        assert_eq!(read(name), "precious", "{name}");
    }
    assert_eq!(own(), "precious");
    // Another name for it is none for what it was, either.
    daemon
        .sh("x", "ln /dev/disk /dev/kept && chmod 0666 /dev/kept && mv /dev/disk /dev/moved")
        .ok();
    assert_eq!(daemon.sh("x", "head -c 8 /dev/kept").text(), "precious");
    for name in ["x", "p"] {
        daemon.lxc(["config", "device", "remove", name, "disk"]).ok();
        assert_eq!(read(name), "");
    }
    assert_eq!(own(), "");
    let kept =
        "for i in kept moved; do chmod 0666 /dev/$i; head -c 8 /dev/$i; done 2>/dev/null; true";
    assert_eq!(daemon.sh("x", kept).text(), "");
}

/// The kernel's files, as far as they tell of a stick and of a card.
struct Tree(PathBuf);

impl Tree {
    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        let made = fs::create_dir_all(path.parent().unwrap_or(&self.0));
        made.and_then(|()| fs::write(&path, text)).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    }

    fn stick(&self, number: u32) {
        let device = format!("sys/bus/usb/devices/1-{number}");
        self.put(&format!("{device}/devnum"), &format!("{number}\n"));
        for (name, text) in [("idVendor", "0bda"), ("idProduct", "2838"), ("busnum", "1")] {
            self.put(&format!("{device}/{name}"), &format!("{text}\n"));
        }
    }
}

/// There is neither here: the daemon is shown a made tree. The card has the number of `/dev/zero`.
#[test]
fn sticks_and_cards_of_the_server() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let tree = Tree(daemon.scratch().join("devices"));
    tree.put("sys/devices/platform/gpu/drm/card0/dev", "1:5\n");
    tree.put("sys/class/drm/version", "");
    for (link, to) in [
        ("sys/devices/platform/gpu/drm/card0/device", "../.."),
        ("sys/class/drm/card0", "../../devices/platform/gpu/drm/card0"),
    ] {
        symlink(to, tree.0.join(link)).unwrap_or_else(|e| panic!("{link}: {e}"));
    }
    tree.stick(3);
    daemon.stop();
    let shown = [("MICROCLOUD_TEST_DEVICES", tree.0.display().to_string())];
    assert!(daemon.try_launch(&shown), "{}", daemon.tail());

    daemon.busybox("x");
    add(&daemon, "x", &["gpu", "gpu", "gid=44", "mode=0640"]).ok();
    let card = "stat -c %g:%a /dev/dri/card0; head -c 5 /dev/dri/card0 | wc -c";
    assert_eq!(daemon.sh("x", card).text(), "44:640\n5");
    add(&daemon, "x", &["other", "gpu", "id=3"]).fails_with("there are: card0");
    add(&daemon, "x", &["stick", "usb", "vendorid=0bda", "mode=0666"]).ok();
    let sticks = || daemon.sh("x", "cd /dev/bus/usb/001 && stat -c %n:%t:%T:%a *").text();
    assert_eq!(sticks(), "003:bd:2:666");
    tree.stick(4);
    until("the second comes", || (sticks() == "003:bd:2:666\n004:bd:3:666").then_some(()));
    fs::remove_dir_all(tree.0.join("sys/bus/usb/devices/1-3")).unwrap_or_else(|e| panic!("{e}"));
    until("the first goes", || (sticks() == "004:bd:3:666").then_some(()));
    let absent = ["more", "usb", "vendorid=1234", "required=true"];
    add(&daemon, "x", &absent).fails_with("vendorid=1234");
    daemon.lxc(["config", "device", "remove", "x", "stick"]).ok();
    assert_eq!(daemon.sh("x", "ls /dev/bus/usb/001").text(), "");
}

/// Another loop device, which the kernel tells of.
#[test]
fn what_is_plugged_in_is_there_at_once() {
    const ADD: &str =
        "import fcntl, sys; print(fcntl.ioctl(open('/dev/loop-control'), 0x4C80, 987))";
    const REMOVE: &str = "import fcntl, sys; fcntl.ioctl(open('/dev/loop-control'), 0x4C81, 987)";
    let Some(daemon) = Daemon::ready() else { return };
    if !lab::installed("python3") || !Path::new("/dev/loop-control").exists() {
        return lab::skip("no python3 or no /dev/loop-control to make a device with");
    }
    daemon.busybox("x");
    // Nobody may use them: they are those of the whole machine.
    add(&daemon, "x", &["disks", "unix-hotplug", "subsystem=block", "mode=0000", "uid=9"]).ok();
    daemon.sh("x", "test ! -e /dev/loop987").ok();
    let there = || daemon.sh("x", "stat -c %u:%t:%T /dev/loop987 2>/dev/null; true").text();
    host(&["python3", "-c", ADD]).ok();
    until("the device comes", || (there() == "9:7:3db").then_some(()));
    host(&["python3", "-c", REMOVE]).ok();
    until("the device goes", || there().is_empty().then_some(()));
}
