//! The drive that a machine is handed: what is on it, and whether it comes as a disc too.
//!
//! As a folder (9p) every machine has it. As a disc only one that was made of an image: an empty one is to have a
//! system installed from a disc of its own, and a second one would stand in the way.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use options::device::{Device, Disk, DiskSource, Drive};
use vm::{Medium, drive as on_drive};

use super::{super::options::Typed, kit::Opened};
use crate::{Error, Result, World, blocking::blocking, db::instances::Instance, names};

/// The program that runs in guests.
const AGENT: &str = "microcloud-agent";
/// Where packages put it, if it is not beside the daemon.
const PACKAGED: &str = "/usr/lib/microcloud";
/// The device that nobody has to ask for.
pub(super) const USUAL: &str = "microcloud.drive";

/// The agent, where it is installed.
pub(crate) fn agent() -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(|program| program.parent()).map(PathBuf::from);
    let places = beside.into_iter().chain([PathBuf::from(PACKAGED)]);
    places.map(|folder| folder.join(AGENT)).find(|program| program.is_file())
}

/// What is on the drive of a machine.
pub(super) fn items(instance: &Instance) -> Vec<on_drive::Item> {
    let agent = agent();
    if agent.is_none() {
        let hint = "its guest gets none: install microcloud-agent beside microcloud";
        tracing::warn!(name = instance.name, "no agent is installed here; {hint}");
    }
    on_drive::items(&instance.name, agent.as_deref())
}

/// Whether a machine gets the disc without a device that asks for it.
pub(super) fn comes_unasked(instance: &Instance, typed: &Typed) -> bool {
    let config = |key: &str| instance.config.get(key);
    let asked = |device: &Device| match device {
        Device::Disk(disk) => is_drive(disk),
        _ => false,
    };
    config("volatile.base_image").is_some()
        && config("image.requirements.cdrom_agent") != Some("false")
        && !typed.devices.values().any(asked)
}

fn is_drive(disk: &Disk) -> bool {
    disk.origin() == Some(DiskSource::Drive(Drive::Agent))
}

/// The drive as a disc, made now.
pub(super) async fn disc(world: &World, instance: &Instance) -> Result<Opened> {
    let folder = world.dirs.machine(&names::instance_id(&instance.project, &instance.name));
    let items = items(instance);
    let made = blocking("make disc", move || {
        let failed = Error::file("write a disc in", &folder);
        let write = || {
            let file = tempfile::NamedTempFile::new_in(&folder)?;
            let mut to = BufWriter::new(file.as_file());
            on_drive::write_disc(on_drive::LABEL, &items, &mut to)?;
            to.flush()?;
            // QEMU takes a descriptor for what it was opened for; the name goes at once.
            File::open(file.path())
        };
        write().map_err(failed)
    });
    Ok(Opened { file: made.await?.into(), device: false, medium: Medium::Disc, readonly: true })
}
