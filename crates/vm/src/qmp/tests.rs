#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "it needs a QEMU that nobody holds")]

//! Against a real QEMU that runs nothing.

use std::{fs::File, path::Path, process::Stdio, time::Duration};

use serde_json::json;

use super::*;
use crate::{
    Bus, Disk, Layout, Manner, Medium, add_disk, add_usb, remove_disk, remove_usb, usb_there,
};

const QEMU: &str = "qemu-system-x86_64";

struct Running(tokio::process::Child);

fn qemu(folder: &Path) -> Option<Running> {
    let socket = folder.join("qmp.sock").display().to_string();
    let child = tokio::process::Command::new(QEMU)
        .args(["-S", "-nodefaults", "-display", "none", "-M", "q35", "-accel", "tcg", "-m", "32"])
        .args(["-device", "virtio-scsi-pci,id=scsi", "-device", "pcie-root-port,id=port0"])
        .args(["-device", "pcie-root-port,id=port1,chassis=2"])
        .args(["-qmp", &format!("unix:{socket},server=on,wait=off")])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    match child {
        Ok(child) => Some(Running(child)),
        Err(error) => {
            eprintln!("SKIP: {QEMU}: {error}");
            None
        }
    }
}

#[tokio::test]
async fn commands_are_answered_refused_and_told_about() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut running) = qemu(folder.path()) else { return };
    let qmp = Qmp::connect(folder.path(), "qmp.sock", Duration::from_secs(20)).await.unwrap();
    let mut events = qmp.events();
    let status = qmp.call(Call::new("query-status")).await.unwrap();
    assert_eq!(status["status"], "prelaunch");
    let refused = qmp.call(Call::new("device_del").with("id", "nothing")).await.unwrap_err();
    assert!(refused.to_string().contains("device_del"), "{refused}");
    // Many at once: each gets its own answer.
    let asks = (0..50).map(|_| qmp.call(Call::new("query-name")));
    for answer in futures(asks).await {
        assert!(answer.unwrap().is_object());
    }
    qmp.call(Call::new("cont")).await.unwrap();
    assert_eq!(events.recv().await.unwrap().name, "RESUME");

    // A second one waits until the first is gone, as after a daemon that died.
    drop(qmp);
    let again = Qmp::connect(folder.path(), "qmp.sock", Duration::from_secs(20)).await.unwrap();
    running.0.kill().await.unwrap();
    assert!(matches!(again.call(Call::new("query-status")).await, Err(Error::Gone)));
    let none = Qmp::connect(folder.path(), "other.sock", Duration::from_millis(20)).await;
    assert!(matches!(none, Err(Error::Silent { .. })));
}

async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T> + Send>) -> Vec<T> {
    let mut out = Vec::new();
    for one in all {
        out.push(one.await);
    }
    out
}

#[tokio::test]
async fn a_disk_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_running) = qemu(folder.path()) else { return };
    let qmp = Qmp::connect(folder.path(), "qmp.sock", Duration::from_secs(20)).await.unwrap();
    let path = folder.path().join("disk");
    File::create(&path).unwrap().set_len(1 << 20).unwrap();
    let open = || File::options().read(true).write(true).open(&path).unwrap().into();
    let layout = Layout::default();
    let disk = |boot| Disk {
        layout: &layout,
        name: "root",
        file: open(),
        device: false,
        medium: Medium::Disk,
        readonly: false,
        manner: Manner::default(),
        boot: Some(boot),
    };
    qmp.call(Call::new("cont")).await.unwrap();
    for _ in 0..2 {
        add_disk(&qmp, disk(0)).await.unwrap();
        let blocks = qmp.call(Call::new("query-block")).await.unwrap();
        assert_eq!(blocks[0]["inserted"]["image"]["virtual-size"], json!(1 << 20));
        add_disk(&qmp, disk(1)).await.unwrap_err();
        remove_disk(&qmp, "root").await.unwrap();
        assert_eq!(qmp.call(Call::new("query-fdsets")).await.unwrap(), json!([]));
    }
    remove_disk(&qmp, "root").await.unwrap();
}

/// Before there was a firmware, too.
#[tokio::test]
async fn each_card_has_a_port_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_running) = qemu(folder.path()) else { return };
    let qmp = Qmp::connect(folder.path(), "qmp.sock", Duration::from_secs(20)).await.unwrap();
    let layout = Layout::default();
    let manner = Manner { bus: Bus::Virtio, ..Manner::default() };
    let disk = |name| {
        let path = folder.path().join(name);
        File::create(&path).unwrap().set_len(1 << 20).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap().into();
        let medium = Medium::Disk;
        Disk {
            name,
            file,
            device: false,
            medium,
            readonly: false,
            manner,
            boot: None,
            layout: &layout,
        }
    };
    add_disk(&qmp, disk("one")).await.unwrap();
    add_disk(&qmp, disk("two")).await.unwrap();
    let places: Vec<String> = crate::layout(&qmp).await.unwrap().cards.into_values().collect();
    assert_eq!(places, ["port0", "port1"]);
    let error = add_disk(&qmp, disk("three")).await.unwrap_err();
    assert!(matches!(error, Error::Full { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_usb_device_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_running) = qemu(folder.path()) else { return };
    let qmp = Qmp::connect(folder.path(), "qmp.sock", Duration::from_secs(20)).await.unwrap();
    let path = folder.path().join("stick");
    File::create(&path).unwrap();
    qmp.call(Call::new("cont")).await.unwrap();
    for _ in 0..2 {
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let error = add_usb(&qmp, "usb-1-4-dev-stick", file.into()).await.unwrap_err().to_string();
        assert!(error.contains("failed to open host usb device /dev/fdset/"), "{error}");
        assert_eq!(usb_there(&qmp).await.unwrap(), [""; 0]);
        // QEMU forgets to close its own copy, and so keeps the set.
        let sets = qmp.call(Call::new("query-fdsets")).await.unwrap();
        assert!(sets.as_array().unwrap().iter().all(|set| set["fds"] == json!([])), "{sets}");
    }
    remove_usb(&qmp, "usb-1-4-dev-stick").await.unwrap();
}
