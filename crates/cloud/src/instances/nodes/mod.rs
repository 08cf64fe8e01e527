//! Device nodes of the server that containers have: `unix-char`, `unix-block`, `unix-hotplug`, `usb` and `gpu`.
//!
//! ```text
//! find.rs     a device's options -> the nodes that the server has for it now (kernel.rs: what `/sys` says)
//! plugged.rs  follows what comes and goes; uevents.rs  the kernel's word that something did
//! ```
//! The monitor makes a node in the container's `/dev`, and knows which it made: so what a container has is
//! compared with what it is to have, whoever asks, and a daemon that died amid it leaves nothing to be undone.
//!
//! ```text
//! start ──> in its specification;  another device, something plugged in, a new daemon ──> settle: add, remove
//! ```

mod find;
mod kernel;
mod plugged;
mod uevents;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use options::device::Device;
use runtime::Monitor;
use spec::DeviceNode;

use self::find::find;
pub use self::{
    plugged::{NODES, Nodes},
    uevents::Uevents,
};
use super::{guests::Guest, options::Typed};
use crate::{Error, Result, World, blocking::blocking};

/// Whether what is missing is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Where it is required.
    AsRequired,
    /// Never: the container runs, with or without it.
    Nothing,
}

/// Devices by their names.
pub(crate) type Wanted = BTreeMap<String, Device>;

/// Those of an instance that are nodes in a container.
pub(crate) fn of(typed: &Typed) -> Wanted {
    let are = |device: &Device| {
        matches!(device, Device::Unix(_) | Device::Hotplug(_) | Device::Usb(_) | Device::Gpu(_))
    };
    let all = typed.devices.iter().filter(|(_, device)| are(device));
    all.map(|(name, device)| (name.clone(), device.clone())).collect()
}

/// Whether the server's device may come and go while the container runs.
fn comes_and_goes(device: &Device) -> bool {
    match device {
        Device::Unix(node) => !node.required && node.number().is_none(),
        Device::Hotplug(_) | Device::Usb(_) => true,
        _ => false,
    }
}

/// What a container has of them when it starts; fails where one is missing that is required.
pub(crate) async fn at_start(world: &World, typed: &Typed) -> Result<Vec<DeviceNode>> {
    let wanted = of(typed);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let root = world.host.kernel_files.clone();
    blocking("look for devices", move || all(&root, &wanted, Need::AsRequired)).await
}

/// Gives a container that runs what it is to have of the devices that are named, and takes what it is not; says
/// how many nodes changed. It keeps what it has of the others, whether or not that is plugged in.
pub(crate) async fn settle(
    world: &World,
    monitor: Arc<Monitor>,
    (mut wanted, named): (Wanted, BTreeSet<String>),
    need: Need,
) -> Result<usize> {
    let root = world.host.kernel_files.clone();
    wanted.retain(|name, _| named.contains(name));
    blocking("settle devices", move || {
        let (has, others): (Vec<_>, Vec<_>) =
            monitor.devices()?.into_iter().partition(|node| named.contains(&node.device));
        let mut wanted = all(&root, &wanted, need)?;
        wanted.retain(|node| others.iter().all(|other| other.path != node.path));
        let mut changed = 0;
        for gone in has.iter().filter(|node| !wanted.contains(node)) {
            // One that merely changes is replaced.
            if wanted.iter().all(|node| node.path != gone.path) {
                monitor.remove_device(&gone.path)?;
                changed += 1;
            }
        }
        for new in wanted.iter().filter(|node| !has.contains(node)) {
            monitor.add_device(new).map_err(|source| of_device(&new.device, source.into()))?;
            changed += 1;
        }
        Ok::<_, Error>(changed)
    })
    .await
}

/// Fails where one of the devices cannot be given to a container.
pub(crate) async fn check(world: &World, wanted: Wanted) -> Result<()> {
    let root = world.host.kernel_files.clone();
    blocking("look for devices", move || all(&root, &wanted, Need::AsRequired).map(drop)).await
}

/// All nodes, of each path the first.
fn all(root: &Path, wanted: &Wanted, need: Need) -> Result<Vec<DeviceNode>> {
    let mut nodes: Vec<DeviceNode> = Vec::new();
    for (name, device) in wanted {
        for node in find(root, name, device, need).map_err(|error| of_device(name, error))? {
            if nodes.iter().all(|other| other.path != node.path) {
                nodes.push(node);
            }
        }
    }
    Ok(nodes)
}

fn of_device(device: &str, source: Error) -> Error {
    Error::Device { device: device.to_owned(), verb: "added", source: Box::new(source) }
}

/// Notes what a container is to have, so that it gets what comes later.
pub(crate) fn note(guest: &Guest, typed: &Typed) {
    if !guest.spec().machine {
        *guest.nodes() = of(typed);
    }
}
