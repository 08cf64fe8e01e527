//! PCI devices and graphics cards of the server that a machine has for itself.
//!
//! ```text
//! take: which they are ── nobody else has them ── noted ── bound to vfio-pci ── QEMU starts, and is told of them
//! release: QEMU ended ── each goes back to the driver that had it ── the note goes
//! ```
//! The note is in the machine's folder, and there before a device is touched: so whoever tidies up after a machine,
//! also after a crash, gives back what it had. They come and go with a start: a guest's drivers and its firmware
//! find them there.

use std::{collections::BTreeMap, fs, path::Path};

use options::{PciAddress, device::Device};
use spec::{DeviceNode, Rlimit};
use tokio::sync::Mutex;
use vm::{
    Qmp,
    host::{Bound, PciDevice, Tree},
};

use super::super::{guests::Guest, options::Typed};
use crate::{Dirs, Error, Result, World, blocking::blocking, names};

/// The note, in the machine's folder.
const NOTE: &str = "host-devices.json";
/// Two starts must not find the same device free.
static TURN: Mutex<()> = Mutex::const_new(());

/// Those of a machine.
fn of(devices: &BTreeMap<String, Device>) -> BTreeMap<String, Device> {
    let is_one = |device: &Device| matches!(device, Device::Pci(_) | Device::Gpu(_));
    let all = devices.iter().filter(|(_, device)| is_one(device));
    all.map(|(name, device)| (name.clone(), device.clone())).collect()
}

/// Fails when one is to come or go while the machine runs.
pub(super) fn stays(old: &Typed, new: &Typed) -> Result<()> {
    let (before, after) = (of(&old.devices), of(&new.devices));
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    match before.keys().chain(after.keys()).find(differs) {
        None => Ok(()),
        Some(name) => {
            let why = "a PCI device of the server cannot come or go while the machine runs: stop it first";
            Err(Error::invalid("devices", format!("device \"{name}\": {why}")))
        }
    }
}

/// What QEMU may do that has one: all of the machine's memory stays where it is, for the device to reach it.
pub(super) fn rlimits(nodes: &[DeviceNode]) -> Vec<Rlimit> {
    match nodes {
        [] => Vec::new(),
        _ => vec![Rlimit { name: String::from("memlock"), soft: None, hard: None }],
    }
}

/// Takes them from their drivers; gives the nodes that QEMU reaches them by.
pub(super) async fn take(world: &World, id: &str, typed: &Typed) -> Result<Vec<DeviceNode>> {
    let wanted = of(&typed.devices);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let _turn = TURN.lock().await;
    let (tree, dirs, id) = (world.host.devices.clone(), world.dirs.clone(), id.to_owned());
    blocking("take PCI devices", move || taken(&tree, &dirs, &id, &wanted)).await
}

fn taken(
    tree: &Tree,
    dirs: &Dirs,
    id: &str,
    wanted: &BTreeMap<String, Device>,
) -> Result<Vec<DeviceNode>> {
    let chosen = choose(tree, wanted)?;
    let addresses: Vec<PciAddress> = chosen.iter().map(|(_, found)| found.address).collect();
    let others = noted_by_others(dirs, id)?;
    for (at, (device, found)) in chosen.iter().enumerate() {
        let address = found.address;
        let user = others.get(&address).cloned();
        let twice = chosen[..at].iter().find(|(_, other)| other.address == address);
        if let Some(by) = user.or(twice.map(|(other, _)| format!("its device \"{other}\""))) {
            let error = Error::InUse { what: "PCI device", name: address.to_string(), by };
            return Err(super::power::of_device(device, error));
        }
        tree.check_pci(found, &addresses).map_err(of_device(device))?;
    }
    note(dirs, id, &chosen)?;
    let mut nodes: Vec<DeviceNode> = Vec::new();
    for (device, found) in &chosen {
        tree.bind(found.address).map_err(of_device(device))?;
        let group = found.group.unwrap_or_default();
        for node in tree.nodes(group).map_err(of_device(device))? {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
    }
    Ok(nodes)
}

/// Which functions each device is.
fn choose(tree: &Tree, wanted: &BTreeMap<String, Device>) -> Result<Vec<(String, PciDevice)>> {
    let mut chosen = Vec::new();
    for (name, device) in wanted {
        let found = match device {
            Device::Gpu(gpu) => tree.gpu(gpu),
            Device::Pci(pci) => match pci.address {
                Some(address) => tree.pci(address).map(|one| vec![one]),
                None => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        };
        let found = found.map_err(of_device(name))?;
        chosen.extend(found.into_iter().map(|one| (name.clone(), one)));
    }
    Ok(chosen)
}

/// Whom others of this server's machines have theirs by.
fn noted_by_others(dirs: &Dirs, id: &str) -> Result<BTreeMap<PciAddress, String>> {
    let folder = dirs.machines();
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(Error::file("read", &folder))? {
        let entry = entry.map_err(Error::file("read", &folder))?;
        let other = entry.file_name().to_string_lossy().into_owned();
        if other == id {
            continue;
        }
        let (project, name) = other.rsplit_once('_').unwrap_or(("", &other));
        let user = format!("instance \"{name}\" of project \"{project}\"");
        let noted = read(&entry.path().join(NOTE))?;
        all.extend(noted.iter().filter_map(Bound::address).map(|it| (it, user.clone())));
    }
    Ok(all)
}

/// What a machine has been given; nothing is fine.
fn read(note: &Path) -> Result<Vec<Bound>> {
    match fs::read(note) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::file("read", note)(error)),
        // One that a power cut left half says nothing: with the power went what it was about.
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
    }
}

/// Notes them, with the driver that each has now. What was noted before knows better.
fn note(dirs: &Dirs, id: &str, chosen: &[(String, PciDevice)]) -> Result<()> {
    let folder = dirs.machine(id);
    super::spec::make(&folder, 0o755)?;
    let file = folder.join(NOTE);
    let mut all = read(&file)?;
    for (device, found) in chosen {
        if all.iter().all(|noted| noted.address() != Some(found.address)) {
            all.push(Bound::new(device, found));
        }
    }
    write(&file, &all)
}

fn write(file: &Path, all: &[Bound]) -> Result<()> {
    let text = serde_json::to_vec(all).map_err(std::io::Error::other);
    text.and_then(|text| fs::write(file, text)).map_err(Error::file("write", file))
}

fn of_device(device: &str) -> impl FnOnce(vm::host::Error) -> Error {
    move |error| super::power::of_device(device, vm::Error::from(error).into())
}

/// Tells QEMU of those that the machine was given.
pub(super) async fn plug(world: &World, guest: &Guest, qmp: &Qmp) -> Result<()> {
    let note = world.dirs.machine(&names::instance_id(guest.project(), guest.name())).join(NOTE);
    let mut devices: BTreeMap<String, Vec<PciAddress>> = BTreeMap::new();
    for bound in blocking("read note", move || read(&note)).await? {
        devices.entry(bound.device.clone()).or_default().extend(bound.address());
    }
    for (device, mut functions) in devices {
        functions.sort_unstable();
        let plugged = vm::add_pci(qmp, &device, &functions).await;
        plugged.map_err(|error| super::power::of_device(&device, error.into()))?;
    }
    Ok(())
}

/// Gives back what a machine had that ended; nothing is fine. What the kernel does not take back stays noted, and is
/// tried again after the next run.
pub(crate) async fn release(world: &World, id: &str) {
    let note = world.dirs.machine(id).join(NOTE);
    if !note.exists() {
        return;
    }
    let _turn = TURN.lock().await;
    let (tree, id) = (world.host.devices.clone(), id.to_owned());
    let given_back = blocking("give back PCI devices", move || {
        let mut left = Vec::new();
        for bound in read(&note)? {
            if let Err(error) = tree.give_back(&bound) {
                let error = tasks::chain(&error);
                tracing::error!(instance = id, device = bound.device, error, "a PCI device");
                left.push(bound);
            }
        }
        match left[..] {
            [] => fs::remove_file(&note).map_err(Error::file("remove", &note)),
            _ => write(&note, &left),
        }
    });
    if let Err(error) = given_back.await {
        tracing::error!(error = %tasks::chain(&error), "PCI devices");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use options::{Raw, device::Devices};

    use super::*;

    struct Made {
        folder: tempfile::TempDir,
        tree: Tree,
        dirs: Dirs,
    }

    /// A server with two cards in groups of their own, and vfio-pci.
    fn made() -> Made {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path());
        let dirs = Dirs::new(folder.path().join("state"));
        dirs.make().unwrap();
        let put = |path: String, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("sys/bus/pci/drivers/vfio-pci/unbind".into(), "");
        put("sys/bus/pci/drivers_probe".into(), "");
        put("sys/class/misc/vfio/dev".into(), "10:196\n");
        for (slot, group) in [("01", "7"), ("02", "8")] {
            let device = format!("sys/bus/pci/devices/0000:{slot}:00.0");
            put(format!("{device}/class"), "0x030000\n");
            put(format!("{device}/driver_override"), "\n");
            put(format!("sys/class/vfio/{group}/dev"), &format!("240:{group}\n"));
            let link = |name: &str, to: &str| {
                symlink(to, folder.path().join(format!("{device}/{name}"))).unwrap();
            };
            link("iommu_group", &format!("../../../../kernel/iommu_groups/{group}"));
            // As if the kernel had done at once what it is told.
            link("driver", "../../drivers/vfio-pci");
        }
        Made { folder, tree, dirs }
    }

    fn wanted(devices: &[(&str, &[(&str, &str)])]) -> BTreeMap<String, Device> {
        let raw = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Raw>();
        let all = devices.iter().map(|(name, pairs)| ((*name).to_owned(), raw(pairs)));
        of(&all.collect::<Devices>().parse().unwrap())
    }

    impl Made {
        fn take(
            &self,
            id: &str,
            devices: &[(&str, &[(&str, &str)])],
        ) -> Result<Vec<String>, String> {
            let nodes = taken(&self.tree, &self.dirs, id, &wanted(devices));
            let nodes = nodes.map_err(|error| tasks::chain(&error))?;
            Ok(nodes.iter().map(|it| it.path.display().to_string()).collect())
        }
    }

    #[test]
    fn a_device_is_noted_and_nobody_elses() {
        let made = made();
        let first: &[(&str, &str)] = &[("type", "pci"), ("address", "01:00.0")];
        let all = made.take("default_a", &[("card", first)]).unwrap();
        assert_eq!(all, ["/dev/vfio/vfio", "/dev/vfio/7"]);
        let note = made.dirs.machine("default_a").join(NOTE);
        assert_eq!(read(&note).unwrap()[0].address().unwrap().to_string(), "0000:01:00.0");
        // A step may run twice.
        made.take("default_a", &[("card", first)]).unwrap();
        assert_eq!(read(&note).unwrap().len(), 1);

        let error = made.take("shop_b", &[("x", first)]).unwrap_err();
        let words = "device \"x\" cannot be added: PCI device \"0000:01:00.0\" is in use by instance \"a\" of project \
                     \"default\"";
        assert_eq!(error, words);
        assert!(!made.dirs.machine("shop_b").join(NOTE).exists());
        // The other one is free; twice it is not to be had.
        let gpu: &[(&str, &str)] = &[("type", "gpu"), ("pci", "02:00.0")];
        let second: &[(&str, &str)] = &[("type", "pci"), ("address", "02:00.0")];
        let error = made.take("shop_b", &[("x", gpu), ("y", second)]).unwrap_err();
        assert!(
            error.contains("device \"y\"") && error.contains("in use by its device \"x\""),
            "{error}"
        );
        assert_eq!(made.take("shop_b", &[("x", gpu)]).unwrap(), ["/dev/vfio/vfio", "/dev/vfio/8"]);
    }

    #[test]
    fn what_is_not_there_is_told_with_the_device() {
        let made = made();
        let absent: &[(&str, &str)] = &[("type", "pci"), ("address", "09:00.0")];
        let error = made.take("default_a", &[("x", absent)]).unwrap_err();
        assert!(
            error.starts_with("device \"x\" cannot be added: there is no PCI device 0000:09:00.0"),
            "{error}"
        );
        let any: &[(&str, &str)] = &[("type", "gpu")];
        let error = made.take("default_a", &[("x", any)]).unwrap_err();
        assert!(error.contains("2 graphics cards"), "{error}");
        fs::remove_dir_all(made.folder.path().join("sys/bus/pci/drivers/vfio-pci")).unwrap();
        let pci: &[(&str, &str)] = &[("type", "pci"), ("address", "01:00.0")];
        let error = made.take("default_a", &[("x", pci)]).unwrap_err();
        assert!(error.contains("modprobe vfio-pci"), "{error}");
        assert!(!made.dirs.machine("default_a").join(NOTE).exists());
    }
}
