//! The drive that a machine is handed: what is on it, and whether it comes as a disc too.
//!
//! As a folder (9p) every machine has it. As a disc only one that was made of an image: an empty one is to have a
//! system installed from a disc of its own, and a second one would stand in the way. A disc for cloud-init alone
//! has one that is told something for it.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use agent::{Nics, Templates};
use options::device::{Device, DiskSource, Drive};
use runtime::files::Made;
use vm::{
    Medium,
    drive::{self as on_drive, Seed},
};

use super::{super::options::Typed, cards, kit::Opened};
use crate::{
    Error, Result, World, blocking::blocking, db::instances::Instance, expand, names,
    networks::port::Port,
};

/// The program that runs in guests.
const AGENT: &str = "microcloud-agent";
/// Where packages put it, if it is not beside the daemon.
const PACKAGED: &str = "/usr/lib/microcloud";

/// The agent, where it is installed.
pub(crate) fn agent() -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(|program| program.parent()).map(PathBuf::from);
    let places = beside.into_iter().chain([PathBuf::from(PACKAGED)]);
    places.map(|folder| folder.join(AGENT)).find(|program| program.is_file())
}

/// What a machine's cloud-init is told.
fn seed<'a>(instance: &'a Instance, typed: &'a Typed) -> Seed<'a> {
    let (told, own) = (&typed.options.cloud_init, &typed.options.volatile);
    Seed {
        instance_id: own.cloud_init_instance_id.as_deref().unwrap_or(&instance.name),
        name: &instance.name,
        meta_data: instance.config.get("user.meta-data").unwrap_or_default(),
        user_data: told.user_data(),
        vendor_data: told.vendor_data(),
        network_config: told.network_config(),
    }
}

/// What is on the drive of a machine.
pub(super) fn items(instance: &Instance, typed: &Typed) -> Vec<on_drive::Item> {
    let agent = agent();
    if agent.is_none() {
        let hint = "its guest gets none: install microcloud-agent beside microcloud";
        tracing::warn!(name = instance.name, "no agent is installed here; {hint}");
    }
    let mut items = on_drive::items(&seed(instance, typed), agent.as_deref());
    items.extend(nics(instance, typed));
    items
}

/// What its network cards are to be inside, if its agent is to see to that.
fn nics(instance: &Instance, typed: &Typed) -> Option<on_drive::Item> {
    if !typed.options.agent_nic_config {
        return None;
    }
    // The names on the host's side do not matter here.
    let ports = Port::all("", "", &typed.devices, &instance.config);
    let ports = ports.inspect_err(|error| {
        tracing::warn!(name = instance.name, error = %tasks::chain(error), "names of its cards");
    });
    let ports = ports.ok()?;
    let text = serde_json::to_string(&Nics { nics: ports.values().map(cards::nic).collect() });
    let text = text.ok()?;
    Some(on_drive::Item::text(Nics::FILE, &text))
}

/// Files for the guest that were made of templates.
pub(super) fn templates(generation: u64, files: Vec<Made>) -> Option<on_drive::Item> {
    let text = serde_json::to_string(&Templates { generation, files }).ok();
    text.map(|text| on_drive::Item::text(Templates::FILE, &text))
}

/// The same as they are on the drive already.
fn same_templates(folder: &Path) -> Option<on_drive::Item> {
    let from = folder.join("drive").join(Templates::FILE);
    let (path, executable) = (Templates::FILE.to_owned(), false);
    let there = from.exists();
    there.then_some(on_drive::Item { path, executable, body: on_drive::Body::Copy(from) })
}

/// Whether a machine has a disc for cloud-init.
pub(super) fn has_seed(typed: &Typed) -> bool {
    is_told(typed) || asks(typed, Drive::CloudInit)
}

/// Whether its cloud-init is told something.
fn is_told(typed: &Typed) -> bool {
    let told = &typed.options.cloud_init;
    [told.user_data(), told.vendor_data(), told.network_config()].iter().any(Option::is_some)
}

/// Whether a device asks for a disc.
fn asks(typed: &Typed, drive: Drive) -> bool {
    let mut disks = typed.devices.values().filter_map(Device::disk);
    disks.any(|disk| disk.origin() == Some(DiskSource::Drive(drive)))
}

/// The discs that a machine gets without a device that asks for them, by names that no device has.
pub(super) fn unasked(instance: &Instance, typed: &Typed) -> Vec<(&'static str, Drive)> {
    let config = |key: &str| instance.config.get(key);
    let of_image = config("volatile.base_image").is_some();
    let agent = of_image && config("image.requirements.cdrom_agent") != Some("false");
    let all = [
        (agent, "microcloud.drive", Drive::Agent),
        (is_told(typed), "microcloud.cloud-init", Drive::CloudInit),
    ];
    let wanted = all.into_iter().filter(|(wanted, _, drive)| *wanted && !asks(typed, *drive));
    wanted.map(|(_, name, drive)| (name, drive)).collect()
}

/// A disc, made now.
pub(super) async fn disc(world: &World, instance: &Instance, drive: Drive) -> Result<Opened> {
    let expanded = world.store.read(|db| expand::expand(db, instance))?;
    let typed = &Typed::parse(&expanded)?;
    let folder = world.dirs.machine(&names::instance_id(&instance.project, &instance.name));
    let (label, items) = match drive {
        Drive::Agent => {
            let mut items = items(instance, typed);
            items.extend(same_templates(&folder));
            (on_drive::LABEL, items)
        }
        Drive::CloudInit => (on_drive::SEED_LABEL, seed(instance, typed).items()),
    };
    let made = blocking("make disc", move || {
        let failed = Error::file("write a disc in", &folder);
        let write = || {
            let file = tempfile::NamedTempFile::new_in(&folder)?;
            let mut to = BufWriter::new(file.as_file());
            on_drive::write_disc(label, &items, &mut to)?;
            to.flush()?;
            // QEMU takes a descriptor for what it was opened for; the name goes at once.
            File::open(file.path())
        };
        write().map_err(failed)
    });
    Ok(Opened { file: made.await?.into(), device: false, medium: Medium::Disc, readonly: true })
}
