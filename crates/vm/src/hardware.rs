//! Disks and network cards of a machine, which come and go over QMP alike before and while it runs.
//!
//! QEMU opens nothing: it is given descriptors. A disk's lie in a set of their own (`add-fd`), whose number
//! is kept in the disk's id, so that whoever removes the disk needs to remember nothing.

use std::{os::fd::OwnedFd, time::Duration};

use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{Call, Error, Layout, Qmp, Result, late, memory::at_disk};

/// How long a guest may take to let go of a device. One that does not boot or run never does.
const LETTING_GO: Duration = Duration::from_secs(15);

/// What a disk is to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A disk.
    Disk,
    /// A disc that is only read (ISO 9660).
    Disc,
}

/// What a disk is plugged into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bus {
    /// The machine's SCSI card, which has room for all.
    #[default]
    Scsi,
    /// A card of its own.
    Virtio,
    /// A card of its own that every system has a driver for.
    Nvme,
}

/// What of the host's memory stands before a disk. What the guest flushes is on disk, but with `Unsafe`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cache {
    /// All of it.
    #[default]
    Writeback,
    /// Nothing.
    None,
    /// All of it, and flushes are ignored.
    Unsafe,
}

/// How much of something may be done in a second; 0 is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Bytes.
    pub bytes: u64,
    /// Operations.
    pub operations: u64,
}

/// How a disk is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// What it is plugged into; a disc is always on SCSI.
    pub bus: Bus,
    /// Its cache.
    pub cache: Cache,
    /// How much may be read.
    pub read: Rate,
    /// How much may be written.
    pub write: Rate,
}

/// A disk.
#[derive(Debug)]
pub struct Disk<'a> {
    /// The device's name.
    pub name: &'a str,
    /// The file or block device, open for what the guest may do with it.
    pub file: OwnedFd,
    /// Whether `file` is a block device.
    pub device: bool,
    /// What it is to the guest.
    pub medium: Medium,
    /// The guest may only read it.
    pub readonly: bool,
    /// How it is used.
    pub manner: Manner,
    /// The lower, the earlier the firmware tries to boot from it.
    pub boot: Option<u32>,
    /// Where it was, if it is to be there again.
    pub layout: &'a Layout,
}

/// A network card.
#[derive(Debug)]
pub struct Card<'a> {
    /// The device's name.
    pub name: &'a str,
    /// The tap, open.
    pub tap: OwnedFd,
    /// `/dev/vhost-net`, open, where the kernel is to move packets past QEMU.
    pub vhost: Option<OwnedFd>,
    /// Its hardware address.
    pub hwaddr: &'a str,
    /// The host's MTU, which the guest is told.
    pub mtu: Option<u32>,
    /// The lower, the earlier the firmware tries to boot from it.
    pub boot: Option<u32>,
    /// Where it was, if it is to be there again.
    pub layout: &'a Layout,
}

/// Plugs a disk.
///
/// # Errors
/// QEMU refuses it; then it is as before.
pub async fn add_disk(qmp: &Qmp, disk: Disk<'_>) -> Result<()> {
    let (node, what) = (node(disk.name), disk.plug());
    let given = qmp.call_with(Call::new("add-fd").with("opaque", &*node), vec![disk.file]).await?;
    let set = given["fdset-id"].as_i64().unwrap_or_default();
    let (cache, mut file) = (disk.manner.cache, opened(set, disk.device));
    set_cache(&mut file, cache);
    let mut block = contents(&node, disk.readonly, cache);
    block.insert("file".to_owned(), file.into());
    if let Err(error) = qmp.call(Call { command: "blockdev-add", arguments: block }).await {
        qmp.call(Call::new("remove-fd").with("fdset-id", set)).await?;
        return Err(error);
    }
    plug_whole(qmp, &node, &what).await
}

/// Plugs a disk whose node is there; if that fails it is gone.
pub(crate) async fn plug_whole(qmp: &Qmp, node: &str, what: &Plug<'_>) -> Result<()> {
    if let Err(error) = plug(qmp, node, what).await {
        remove_node(qmp, node).await?;
        return Err(error);
    }
    let Manner { read, write, .. } = what.manner;
    if (read, write) == Default::default() {
        return Ok(());
    }
    let limited = set_rates(qmp, what.name, read, write).await;
    if limited.is_err() {
        remove_disk(qmp, what.name).await?;
    }
    limited
}

/// What QEMU opens of a set of descriptors.
pub(crate) fn opened(set: i64, device: bool) -> Map<String, Value> {
    let driver = if device { "host_device" } else { "file" };
    let pairs = [("driver", driver.to_owned()), ("filename", format!("/dev/fdset/{set}"))];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// What a disk is as its guest sees it, whatever it lies in.
pub(crate) fn contents(node: &str, readonly: bool, cache: Cache) -> Map<String, Value> {
    let mut block = Map::new();
    for (key, value) in [("driver", "raw"), ("node-name", node), ("discard", "unmap")] {
        block.insert(key.to_owned(), value.into());
    }
    block.insert("read-only".to_owned(), readonly.into());
    set_cache(&mut block, cache);
    block
}

pub(crate) fn set_cache(block: &mut Map<String, Value>, cache: Cache) {
    let cache = match cache {
        // QEMU reads a byte at a time: what it does by itself is not said.
        Cache::Writeback => return,
        Cache::None => json!({ "direct": true, "no-flush": false }),
        Cache::Unsafe => json!({ "direct": false, "no-flush": true }),
    };
    block.insert("cache".to_owned(), cache);
}

/// What is left of a disk once QEMU has its file.
pub(crate) struct Plug<'a> {
    pub(crate) name: &'a str,
    pub(crate) medium: Medium,
    pub(crate) manner: Manner,
    pub(crate) boot: Option<u32>,
    pub(crate) layout: &'a Layout,
}

impl<'a> Disk<'a> {
    fn plug(&self) -> Plug<'a> {
        let Disk { name, medium, manner, boot, layout, .. } = *self;
        Plug { name, medium, manner, boot, layout }
    }
}

async fn plug(qmp: &Qmp, node: &str, disk: &Plug<'_>) -> Result<()> {
    let (driver, bus) = match (disk.medium, disk.manner.bus) {
        (Medium::Disc, _) => ("scsi-cd", None),
        (Medium::Disk, Bus::Scsi) => ("scsi-hd", None),
        (Medium::Disk, Bus::Virtio) => {
            ("virtio-blk-pci", Some(place(qmp, node, disk.layout).await?))
        }
        (Medium::Disk, Bus::Nvme) => ("nvme", Some(place(qmp, node, disk.layout).await?)),
    };
    let mut device = Call::new("device_add")
        .with("driver", driver)
        .with("id", node)
        .with("bus", bus.unwrap_or_else(|| String::from("scsi.0")))
        .with("drive", node)
        // What LXD calls them, so that a guest finds them by the same links in /dev/disk/by-id.
        .with("serial", serial(disk.name, driver));
    if let Some(boot) = disk.boot {
        device = device.with("bootindex", boot);
    }
    qmp.call(at_disk(device, disk.layout, node)).await.map(drop)
}

/// Says how much a disk that is plugged may do.
///
/// # Errors
/// There is no such disk, or QEMU refuses.
pub async fn set_rates(qmp: &Qmp, name: &str, read: Rate, write: Rate) -> Result<()> {
    let node = node(name);
    // A card for virtio is one thing, what is behind it another.
    let behind = format!("/machine/peripheral/{node}/virtio-backend");
    match set_rates_of(qmp, &behind, read, write).await {
        Err(Error::Refused { .. }) => set_rates_of(qmp, &node, read, write).await,
        done => done,
    }
}

async fn set_rates_of(qmp: &Qmp, id: &str, read: Rate, write: Rate) -> Result<()> {
    let rates = Call::new("block_set_io_throttle")
        .with("id", id)
        .with("bps", 0)
        .with("bps_rd", read.bytes)
        .with("bps_wr", write.bytes)
        .with("iops", 0)
        .with("iops_rd", read.operations)
        .with("iops_wr", write.operations);
    qmp.call(rates).await.map(drop)
}

/// Where another card goes.
pub(crate) async fn place(qmp: &Qmp, node: &str, layout: &Layout) -> Result<String> {
    match layout.cards.get(node) {
        Some(before) => Ok(before.clone()),
        None => free_place(qmp).await,
    }
}

/// Lets the guest see that a disk became larger.
///
/// # Errors
/// QEMU refuses.
pub async fn grow_disk(qmp: &Qmp, name: &str, size: u64) -> Result<()> {
    let sectors = size / 512 * 512;
    let call = Call::new("block_resize").with("node-name", node(name)).with("size", sectors);
    qmp.call(call).await.map(drop)
}

/// Unplugs a disk, once the guest has let go of it; one that is not there is Ok.
///
/// # Errors
/// The guest does not let go of it, or QEMU refuses.
pub async fn remove_disk(qmp: &Qmp, name: &str) -> Result<()> {
    let node = node(name);
    remove_device(qmp, &node, name).await?;
    remove_node(qmp, &node).await
}

async fn remove_node(qmp: &Qmp, node: &str) -> Result<()> {
    // One that came late has a node for what it lies in.
    for node in [node, &*late::file_of(node)] {
        absent_is_fine(qmp.call(Call::new("blockdev-del").with("node-name", node)).await)?;
    }
    forget_files(qmp, node).await
}

/// Closes QEMU's descriptors of a disk that is no more. It keeps them until the machine runs.
pub(crate) async fn forget_files(qmp: &Qmp, node: &str) -> Result<()> {
    let sets = qmp.call(Call::new("query-fdsets")).await?;
    for set in sets.as_array().into_iter().flatten() {
        let ours = |fd: &Value| fd["opaque"] == node;
        if set["fds"].as_array().into_iter().flatten().any(ours) {
            qmp.call(Call::new("remove-fd").with("fdset-id", set["fdset-id"].clone())).await?;
        }
    }
    Ok(())
}

/// Plugs a network card.
///
/// # Errors
/// There is no place for another, or QEMU refuses it; then it is as before.
pub async fn add_card(qmp: &Qmp, card: Card<'_>) -> Result<()> {
    let node = node(card.name);
    let bus = place(qmp, &node, card.layout).await?;
    let net = netdev(&node, card.vhost.is_some());
    let names = [node.clone(), vhost(&node)];
    let given = async {
        for (name, file) in names.iter().zip([Some(card.tap), card.vhost]) {
            if let Some(file) = file {
                let give = Call::new("getfd").with("fdname", &**name);
                qmp.call_with(give, vec![file]).await?;
            }
        }
        qmp.call(net).await
    };
    if let Err(error) = given.await {
        for name in &names {
            absent_is_fine(qmp.call(Call::new("closefd").with("fdname", &**name)).await)?;
        }
        return Err(error);
    }
    let mut device = Call::new("device_add")
        .with("driver", "virtio-net-pci")
        .with("id", &*node)
        .with("netdev", &*node)
        .with("bus", bus)
        .with("mac", card.hwaddr);
    if let Some(mtu) = card.mtu {
        device = device.with("host_mtu", mtu);
    }
    if let Some(boot) = card.boot {
        device = device.with("bootindex", boot);
    }
    if let Err(error) = qmp.call(device).await {
        absent_is_fine(qmp.call(Call::new("netdev_del").with("id", &*node)).await)?;
        return Err(error);
    }
    Ok(())
}

/// What is behind a card: a tap.
fn netdev(node: &str, by_kernel: bool) -> Call {
    let net = Call::new("netdev_add").with("type", "tap").with("id", node).with("fd", node);
    if by_kernel { net.with("vhost", true).with("vhostfd", vhost(node)) } else { net }
}

/// What a card's `/dev/vhost-net` is called.
fn vhost(node: &str) -> String {
    format!("{node}.vhost")
}

/// Unplugs a network card, once the guest has let go of it; one that is not there is Ok.
///
/// # Errors
/// The guest does not let go of it, or QEMU refuses.
pub async fn remove_card(qmp: &Qmp, name: &str) -> Result<()> {
    let node = node(name);
    remove_device(qmp, &node, name).await?;
    absent_is_fine(qmp.call(Call::new("netdev_del").with("id", &*node)).await)
}

/// Asks the guest to let go of a device and waits until it has.
pub(crate) async fn remove_device(qmp: &Qmp, id: &str, name: &str) -> Result<()> {
    let mut events = qmp.events();
    match qmp.call(Call::new("device_del").with("id", id)).await {
        Err(Error::Refused { why, .. }) if is_absent(&why) => return Ok(()),
        // Asked a moment ago.
        Err(Error::Refused { why, .. }) if why.contains("already in the process of unplug") => {}
        asked => drop(asked?),
    }
    let gone = async {
        loop {
            match events.recv().await {
                // What came with the machine has a path and no id.
                Ok(event)
                    if event.name == "DEVICE_DELETED"
                        && (event.data["device"] == id || event.data["path"] == id) =>
                {
                    return Ok(());
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(Error::Gone),
            }
        }
    };
    let held = |_| Error::Held { device: name.to_owned(), patience: LETTING_GO };
    tokio::time::timeout(LETTING_GO, gone).await.map_err(held)?
}

pub(crate) fn absent_is_fine(done: Result<Value>) -> Result<()> {
    match done {
        Err(Error::Refused { why, .. }) if is_absent(&why) => Ok(()),
        done => done.map(drop),
    }
}

/// QEMU says this in words only.
fn is_absent(why: &str) -> bool {
    ["not found", "Failed to find", "Cannot find"].iter().any(|words| why.contains(words))
}

/// The id of a device: QEMU takes letters, digits, `-`, `.` and `_`, a letter first, 31 at most for a node.
/// Names of devices may be longer and have others.
pub(crate) fn node(name: &str) -> String {
    match name.len() <= 24 && plain(name) {
        true => format!("dev-{name}"),
        false => {
            // FNV-1a: only to tell the devices of one machine apart.
            let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            format!("dev.{:016x}", name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
        }
    }
}

/// The device that a node is of, as far as its id tells; `None` for other nodes.
pub(crate) fn disk_of(node: &str) -> Option<&str> {
    node.strip_prefix("dev-").or(node.starts_with("dev.").then_some(node))
}

/// Whether a name is all letters that QEMU takes.
pub(crate) fn plain(name: &str) -> bool {
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter))
}

/// At most 36 bytes, as SCSI has it, or 20, as the others have.
fn serial(name: &str, driver: &str) -> String {
    let longest = if driver.starts_with("scsi") { 36 } else { 20 };
    format!("lxd_{name}").chars().take(longest).collect()
}

/// The first port that no card is in. What QEMU tells of its bus (`query-pci`) is of no use before a firmware has
/// counted it. QEMU reads a byte at a time: a port is asked by itself, as the first is free mostly.
async fn free_place(qmp: &Qmp) -> Result<String> {
    let mut places = 0;
    loop {
        let port = format!("port{places}");
        // The bus behind a port is called as it is.
        let bus = format!("/machine/peripheral/{port}/{port}");
        let inside = match qmp.call(Call::new("qom-list").with("path", bus)).await {
            // It was made with so many.
            Err(Error::Refused { .. }) => return Err(Error::Full { places }),
            inside => inside?,
        };
        let names = inside.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str());
        if !names.into_iter().any(|name| name.starts_with("child[")) {
            return Ok(port);
        }
        places += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_qemu_takes() {
        assert_eq!(node("root"), "dev-root");
        let long = node("a disk, with a name that nobody would give it");
        assert_eq!((long.len(), &long[..4]), (20, "dev."));
        assert_ne!(long, node("another disk, with a name that nobody would give it"));
    }

    #[test]
    fn the_kernel_moves_packets_where_it_can() {
        let told = |by_kernel| json!(netdev("dev-eth0", by_kernel).arguments);
        let tap = json!({ "type": "tap", "id": "dev-eth0", "fd": "dev-eth0" });
        assert_eq!(told(false), tap);
        let by_kernel = json!({
            "type": "tap", "id": "dev-eth0", "fd": "dev-eth0", "vhost": true, "vhostfd": "dev-eth0.vhost",
        });
        assert_eq!(told(true), by_kernel);
    }
}
