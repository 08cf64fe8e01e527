//! Sends a machine that runs to another member which reaches the same disks: its memory goes, they stay where they are.
//!
//! ```text
//! what lies beside its disk, as copies ── its memory ── it stands still ── QEMU is done with its disks, all of them written
//! ```
//! All else is as in [`super::depart`]; the other member is in [`super::land`]. One of them writes to the disks at a time:
//! QEMU lets go of them with the last of the memory, and the other member opens them after that. If the guest goes on
//! here after all, the other member has read them at most.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Seek, SeekFrom},
    time::Instant,
};

use storage::Attached;
use tasks::Operation;
use tokio::task::JoinSet;
use vm::Qmp;

use super::depart::{self, Depart};
use crate::{
    Error, Result, World,
    blocking::blocking,
    expand,
    instances::{guests::Guest, machine, options::Typed},
    migration::Link,
};

/// Sends all until the guest stands still and nothing of it is under way: the moments of that.
pub(super) async fn ready(
    world: &World,
    input: &Depart,
    (guest, qmp): (&Guest, &Qmp),
    (operation, link): (&Operation, &mut Link),
    carriers: &mut JoinSet<()>,
) -> Result<[Instant; 3]> {
    let disks = link.busy(opened(world, input)).await?;
    let sizes = disks.iter().map(|(name, (_, size))| (name.clone(), *size)).collect();
    depart::announced(world, input, (guest, sizes), operation, link).await?;
    let [_, memory] = link.streams()?;
    depart::send_memory(qmp, memory, (operation, link), carriers).await?;
    let still = Instant::now();
    vm::let_go(qmp).await?;
    // QEMU has flushed what it wrote, unless its disk's cache is one that is never flushed.
    blocking("write out disks", move || {
        let sync = |(name, (file, _)): (&String, &(File, u64))| {
            file.sync_all().map_err(Error::file("write out", name.as_ref()))
        };
        disks.iter().try_for_each(sync)
    })
    .await?;
    Ok([still, still, Instant::now()])
}

/// The disks that stay, and their bytes.
async fn opened(world: &World, input: &Depart) -> Result<BTreeMap<String, (File, u64)>> {
    let instance = input.instance();
    let typed = world.store.read(|db| Typed::parse(&expand::expand(db, instance)?))?;
    let mut all = BTreeMap::new();
    for name in &input.shared {
        let gone = || Error::not_found("device", name);
        let disk = typed.devices.get(name).and_then(|device| device.disk()).ok_or_else(gone)?;
        let (pool, id) = machine::volume_of(world, instance, disk).await?;
        let opened = blocking("open disk", move || {
            // It is attached as long as the machine runs.
            let Attached::Block(path) = pool.attach(&id)? else { return Err(Error::BrokenOff) };
            let file = File::open(&path).and_then(|mut file| {
                let size = file.seek(SeekFrom::End(0))?;
                Ok((file, size))
            });
            pool.detach(&id)?;
            file.map_err(Error::file("open", &path))
        });
        all.insert(name.clone(), opened.await?);
    }
    Ok(all)
}
