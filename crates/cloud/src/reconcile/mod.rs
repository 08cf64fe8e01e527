//! What brings the machine in line with the state: the same at start, after a crash, every day.

mod backups;
mod boot;
mod instances;
mod networks;
mod pools;
mod shutdown;
mod snapshots;

pub use self::{
    backups::Backups, boot::boot, instances::Autostart, networks::Networks, pools::Pools,
    shutdown::shutdown, snapshots::Snapshots,
};
