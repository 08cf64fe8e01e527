//! Devices as a user notices them.

use crate::device::{Device, Devices, DiskSource, Nic, NodeKind};
use crate::{OrNone, Raw};

fn parse(pairs: &[(&str, &str)]) -> Result<Device, String> {
    Device::parse(&pairs.iter().copied().collect()).map_err(|problems| problems.to_string())
}

#[test]
fn a_root_disk() {
    let pairs = [("type", "disk"), ("path", "/"), ("pool", "default"), ("size", "5GiB")];
    let device = parse(&pairs).unwrap();
    let disk = device.disk().unwrap();
    assert!(disk.is_root() && disk.required && !disk.readonly);
    assert_eq!(disk.origin(), Some(DiskSource::Root { pool: "default" }));
}

#[test]
fn volumes_and_paths() {
    let volume = [("type", "disk"), ("path", "/srv"), ("pool", "p"), ("source", "data/web/www")];
    let volume = parse(&volume).unwrap();
    let origin = volume.disk().unwrap().origin();
    let expected = DiskSource::Volume { pool: "p", volume: "data", path: Some("web/www") };
    assert_eq!(origin, Some(expected));
    let host = parse(&[("type", "disk"), ("path", "/srv"), ("source", "/home")]).unwrap();
    assert_eq!(host.disk().unwrap().origin(), Some(DiskSource::Host("/home")));
}

#[test]
fn disks_that_make_no_sense() {
    let wrong = |pairs: &[(&str, &str)]| parse(&[&[("type", "disk")], pairs].concat()).unwrap_err();
    assert!(wrong(&[]).contains(r#""path" must be set"#));
    assert!(wrong(&[("path", "/")]).contains(r#""pool" must be set"#));
    assert!(wrong(&[("path", "/a")]).contains(r#""source" must be set"#));
    assert!(wrong(&[("path", "/a"), ("source", "data")]).contains("and its pool"));
    assert!(wrong(&[("path", "/../a"), ("source", "/home")]).contains("no .. in it"));
    assert!(wrong(&[("path", "/a"), ("pool", "p"), ("source", "v/../w")]).contains("without .."));
    assert!(wrong(&[("path", "/"), ("pool", "p"), ("source", "v")]).contains("path is /"));
    let sized = wrong(&[("path", "/a"), ("pool", "p"), ("source", "v"), ("size", "1GiB")]);
    assert!(sized.contains("only be set on the root disk"));
    let initial = ("initial.zfs.block_mode", "true");
    let initial = wrong(&[("path", "/a"), ("pool", "p"), ("source", "v"), initial]);
    assert!(initial.contains("only be set on the root disk"), "{initial}");
}

#[test]
fn cards_of_a_network_and_of_the_host() {
    let managed = [("type", "nic"), ("network", "lxdbr0"), ("ipv4.address", "10.0.0.5")];
    let managed = parse(&managed).unwrap();
    let Some(Nic::Bridged(card)) = managed.nic() else { panic!("{managed:?}") };
    assert_eq!(card.network.as_deref(), Some("lxdbr0"));
    assert_eq!(card.ipv4_address, Some(OrNone::Value([10, 0, 0, 5].into())));
    let host = parse(&[("type", "nic"), ("nictype", "bridged"), ("parent", "br0")]).unwrap();
    assert!(matches!(host.nic(), Some(Nic::Bridged(card)) if card.parent.is_some()));
    let pair = parse(&[("type", "nic"), ("nictype", "p2p"), ("mtu", "9000")]).unwrap();
    let Some(card @ Nic::P2p(_)) = pair.nic() else { panic!("{pair:?}") };
    assert_eq!(card.mtu(), Some(9000));
}

#[test]
fn what_is_missing_is_named() {
    let wrong = |pairs| parse(pairs).unwrap_err();
    assert_eq!(
        wrong(&[("type", "infiniband")]),
        r#"invalid value "infiniband" for "type": not supported yet; supported are disk, gpu, nic, pci, proxy, tpm, unix-block, unix-char, unix-hotplug, usb or none"#
    );
    assert_eq!(
        wrong(&[("type", "toaster")]),
        r#"invalid value "toaster" for "type": disk, gpu, nic, pci, proxy, tpm, unix-block, unix-char, unix-hotplug, usb or none"#
    );
    assert_eq!(
        wrong(&[]),
        r#""type" must be set: disk, gpu, nic, pci, proxy, tpm, unix-block, unix-char, unix-hotplug, usb or none"#
    );
    assert_eq!(
        wrong(&[("type", "nic"), ("nictype", "macvlan"), ("parent", "eth0")]),
        r#"invalid value "macvlan" for "nictype": not supported yet; supported are bridged or p2p"#
    );
    assert_eq!(
        wrong(&[("type", "disk"), ("path", "/"), ("pool", "p"), ("ceph.user_name", "u")]),
        r#"key "ceph.user_name" is not supported yet"#
    );
    assert_eq!(
        wrong(&[("type", "nic"), ("network", "n"), ("nictype", "bridged")]),
        r#""nictype" cannot be set together with network"#
    );
}

#[test]
fn devices_of_the_host() {
    let pci = parse(&[("type", "pci"), ("address", "01:00.0")]).unwrap();
    assert!(matches!(pci, Device::Pci(pci) if pci.address.unwrap().to_string() == "0000:01:00.0"));
    let gpu = parse(&[("type", "gpu"), ("gputype", "physical"), ("vendorid", "10DE")]).unwrap();
    assert!(matches!(gpu, Device::Gpu(gpu) if gpu.to_string() == "vendorid=10de"));
    let usb = [("type", "usb"), ("vendorid", "0bda"), ("serial", "A b"), ("required", "true")];
    let usb = parse(&usb).unwrap();
    assert!(
        matches!(usb, Device::Usb(usb) if usb.required && usb.to_string() == "vendorid=0bda serial=A b")
    );

    let wrong = |pairs: &[(&str, &str)]| parse(pairs).unwrap_err();
    assert!(wrong(&[("type", "pci")]).contains(r#""address" must be set"#));
    assert!(wrong(&[("type", "pci"), ("address", "eth0")]).contains("such as 0000:01:00.0"));
    assert!(wrong(&[("type", "usb")]).contains(r#""vendorid" must be set"#));
    assert!(wrong(&[("type", "usb"), ("vendorid", "bda")]).contains("four hexadecimal digits"));
    let mdev = wrong(&[("type", "gpu"), ("gputype", "mdev")]);
    assert!(mdev.contains("not supported yet; supported are physical"), "{mdev}");
    let both = wrong(&[("type", "gpu"), ("pci", "01:00.0"), ("id", "0")]);
    assert!(both.contains("together with id"), "{both}");
}

#[test]
fn nodes_of_the_host() {
    let node = |pairs: &[(&str, &str)]| match parse(pairs).unwrap() {
        Device::Unix(node) => node,
        other => panic!("{other:?}"),
    };
    let kmsg = node(&[("type", "unix-char"), ("path", "/dev/kmsg")]);
    assert_eq!((kmsg.kind, kmsg.source(), kmsg.path()), (NodeKind::Char, kmsg.path(), kmsg.path()));
    assert_eq!((kmsg.number(), kmsg.required), (None, true));
    assert_eq!((kmsg.access.uid, kmsg.access.mode.bits()), (0, 0o660));
    let disk = [("type", "unix-block"), ("source", "/srv/disk"), ("path", "/dev/sda")];
    let disk = node(&[&disk[..], &[("major", "8"), ("minor", "0")]].concat());
    assert_eq!((disk.kind, disk.number()), (NodeKind::Block, Some((8, 0))));
    assert_eq!(disk.source().to_str(), Some("/srv/disk"));
    let usb = [("type", "usb"), ("vendorid", "0bda"), ("mode", "0600"), ("uid", "5")];
    let usb = parse(&usb).unwrap();
    assert!(matches!(usb, Device::Usb(usb) if usb.access().uid == 5));
    let plug = [("type", "unix-hotplug"), ("subsystem", "tty"), ("vendorid", "2341")];
    let plug = parse(&plug).unwrap();
    assert!(matches!(plug, Device::Hotplug(it) if it.to_string() == "vendorid=2341 subsystem=tty"));

    let wrong = |pairs: &[(&str, &str)]| parse(pairs).unwrap_err();
    assert!(wrong(&[("type", "unix-char")]).contains(r#""source" must be set"#));
    assert!(wrong(&[("type", "unix-char"), ("source", "/srv/x")]).contains("below /dev"));
    assert!(wrong(&[("type", "unix-char"), ("path", "/dev")]).contains("below /dev"));
    let half = wrong(&[("type", "unix-char"), ("path", "/dev/x"), ("major", "1")]);
    assert!(half.contains(r#""minor" must be set"#), "{half}");
    assert!(wrong(&[("type", "unix-hotplug")]).contains(r#""vendorid" must be set"#));
    let both = Devices::from_iter(["a", "b"].map(|name| {
        let raw = [("type", "unix-char"), ("path", "/dev/kmsg")].into_iter().collect::<Raw>();
        (name.to_owned(), raw)
    }));
    assert!(both.parse().unwrap_err().to_string().contains("in the device \"a\" too"));
}

#[test]
fn proxies() {
    let proxy = |more: &[(&str, &str)]| parse(&[&[("type", "proxy")], more].concat());
    let web = [("listen", "tcp:0.0.0.0:80,443"), ("connect", "tcp:127.0.0.1:8080")];
    let Device::Proxy(plain) = proxy(&web).unwrap() else { panic!() };
    assert!(plain.on_host() && !plain.nat && !plain.proxy_protocol);
    let older = proxy(&[&web[..], &[("bind", "container")]].concat()).unwrap();
    assert!(matches!(older, Device::Proxy(it) if !it.on_host()));
    let socket = [("listen", "unix:/run/x"), ("connect", "tcp:[::1]:22"), ("mode", "0600")];
    proxy(&socket).unwrap();

    let wrong = |more: &[(&str, &str)]| proxy(more).unwrap_err();
    assert!(wrong(&[]).contains(r#""listen" must be set"#));
    let ends = |listen, connect| wrong(&[("listen", listen), ("connect", connect)]);
    assert!(
        ends("tcp:0.0.0.0:80-82", "tcp:127.0.0.1:1-2").contains("has 2 ports where listen has 3")
    );
    assert!(ends("udp:0.0.0.0:80", "tcp:127.0.0.1:1").contains("must be udp if listen is"));
    assert!(ends("tcp:0.0.0.0:1-20000", "tcp:127.0.0.1:1").contains("at most 16384 ports"));
    let of = |more: &[(&str, &str)]| wrong(&[&web[..], more].concat());
    assert!(of(&[("uid", "5")]).contains(r#""uid" is of a path"#));
    assert!(of(&[("nat", "true"), ("bind", "instance")]).contains("needs bind=host"));
    assert!(of(&[("nat", "true"), ("proxy_protocol", "true")]).contains("together with nat"));
    let rules =
        |listen, connect| wrong(&[("listen", listen), ("connect", connect), ("nat", "true")]);
    assert!(rules("unix:@x", "tcp:127.0.0.1:1").contains("is of tcp and udp"));
    assert!(rules("tcp:127.0.0.1:1", "tcp:10.0.0.2:1").contains("loopback"));
    assert!(rules("tcp:[::]:1", "tcp:10.0.0.2:1").contains("IPv4 on both"));
}

#[test]
fn problems_say_which_device() {
    let devices: Devices = serde_json::from_str(
        r#"{"eth0": {"type": "nic", "network": "n", "hwaddr": "x"}, "root": {"type": "disk"},
            "off": {"type": "none"}, "a/b": {"type": "none"}}"#,
    )
    .unwrap();
    let problems: Vec<String> =
        devices.parse().unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert!(problems[0].starts_with(r#"device "a/b": "#));
    assert!(
        problems[1].starts_with(r#"device "eth0": invalid value "x" for "hwaddr": a hardware"#)
    );
    assert!(problems[2].starts_with(r#"device "root": "path" must be set"#));
}

#[test]
fn later_devices_replace_earlier_ones_whole() {
    let raw = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Raw>();
    let devices = |pairs: &[(&str, &str)]| Devices::from_iter([("eth0".to_owned(), raw(pairs))]);
    let profile = devices(&[("type", "nic"), ("network", "n"), ("name", "eth0")]);
    let merged = profile.merged(&devices(&[("type", "none")]));
    assert_eq!(merged.parse().unwrap()["eth0"], Device::None);
}

#[test]
fn two_devices_in_one_place() {
    let devices: Devices = serde_json::from_str(
        r#"{"a": {"type": "disk", "path": "/srv", "source": "/a"},
            "b": {"type": "disk", "path": "/srv/", "source": "/b"},
            "c": {"type": "nic", "nictype": "p2p", "name": "eth0"},
            "d": {"type": "nic", "network": "n", "name": "eth0"},
            "e": {"type": "nic", "network": "n"}, "f": {"type": "nic", "network": "n"}}"#,
    )
    .unwrap();
    let problems: Vec<String> =
        devices.parse().unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        r#"device "b": "path" is "/srv" in the device "a" too"#,
        r#"device "d": "name" is "eth0" in the device "c" too"#,
    ];
    assert_eq!(problems, expected);
}
