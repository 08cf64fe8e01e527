//! What brings the machine in line with the state: the same at start, after a crash, every day.

mod backups;
mod boot;
mod gone;
mod instances;
mod networks;
mod pools;
mod powers;
mod records;
mod shutdown;
mod snapshots;
mod warnings;

pub use self::{
    backups::Backups,
    boot::boot,
    gone::Gone,
    instances::Autostart,
    networks::{NETWORKS, Networks},
    pools::Pools,
    powers::{POWERS, Powers},
    records::{Records, STATE},
    shutdown::shutdown,
    snapshots::Snapshots,
    warnings::{NOTED, Warnings},
};

#[cfg(test)]
pub(crate) use self::networks::repair as repair_networks;
pub(crate) use self::{
    gone::teardown,
    instances::{find_again, start_or_wait, start_waiting},
};

/// Brings up what a recovery has found: networks, and instances whose monitors live.
pub(crate) async fn after_recovery(world: &crate::World, found: &[crate::recover::Unknown]) {
    networks::repair(world).await;
    for volume in found {
        instances::find_again(world, &volume.project, &volume.name).await;
    }
}
