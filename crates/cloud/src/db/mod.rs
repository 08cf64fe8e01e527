//! Rows of the replicated state: one file a resource, each with its struct and its few queries.
//!
//! Everything here takes a transaction ([`Read`] or [`Write`]) from its caller; none opens one, so
//! that a verb can check and write in one all-or-nothing step.

use options::device::Devices;
use serde::{Serialize, de::DeserializeOwned};
use store::Migration;

pub mod backups;
pub mod buckets;
pub mod certificates;
pub mod cluster_certificate;
pub mod cluster_groups;
pub mod images;
pub mod instance_snapshots;
pub mod instances;
pub mod members;
pub mod moves;
pub mod networks;
pub mod pools;
pub mod profiles;
pub mod projects;
pub mod server;
pub mod volume_snapshots;
pub mod volumes;
pub mod warnings;

/// Every step of the schema, oldest first; a step is never edited once released.
pub const MIGRATIONS: &[Migration] = &[
    Migration { level: 1, name: "start", sql: include_str!("../../schema/0001_start.sql") },
    Migration {
        level: 2,
        name: "instance snapshots",
        sql: include_str!("../../schema/0002_instance_snapshots.sql"),
    },
    Migration { level: 3, name: "buckets", sql: include_str!("../../schema/0003_buckets.sql") },
    Migration { level: 4, name: "volumes", sql: include_str!("../../schema/0004_volumes.sql") },
    Migration {
        level: 5,
        name: "instance backups",
        sql: include_str!("../../schema/0005_instance_backups.sql"),
    },
    Migration {
        level: 6,
        name: "backups of volumes and buckets",
        sql: include_str!("../../schema/0006_more_backups.sql"),
    },
    Migration {
        level: 7,
        name: "scheduled snapshots",
        sql: include_str!("../../schema/0007_scheduled_snapshots.sql"),
    },
    Migration {
        level: 8,
        name: "certificates",
        sql: include_str!("../../schema/0008_certificates.sql"),
    },
    Migration { level: 9, name: "warnings", sql: include_str!("../../schema/0009_warnings.sql") },
    Migration { level: 10, name: "cluster", sql: include_str!("../../schema/0010_cluster.sql") },
    Migration { level: 11, name: "moves", sql: include_str!("../../schema/0011_moves.sql") },
    Migration {
        level: 12,
        name: "certificate of the cluster",
        sql: include_str!("../../schema/0012_cluster_certificate.sql"),
    },
    Migration {
        level: 13,
        name: "networks of members",
        sql: include_str!("../../schema/0013_networks_members.sql"),
    },
];

#[cfg(test)]
mod tests;

/// Deletes what is on a member that goes.
pub(crate) fn forget_member(
    db: &mut store::Write<'_>,
    member: store::MemberId,
    name: &str,
) -> store::Result<()> {
    for table in ["instances", "volumes", "storage_buckets"] {
        let sql = format!("DELETE FROM {table} WHERE member_id = ?1");
        db.execute(&sql, store::params![member])?;
    }
    db.execute("DELETE FROM warnings WHERE member = ?1", store::params![name])?;
    Ok(())
}

/// A value as it stands in a JSON column.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| String::from("null"))
}

/// What a JSON column holds; an unreadable one reads as empty rather than hide the whole row.
pub(crate) fn from_json<T: DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}

/// Devices as clients send them.
pub(crate) fn devices_in(devices: wire::DevicesMap) -> Devices {
    Devices(devices.into_iter().map(|(name, config)| (name, config.into())).collect())
}

/// Devices as clients get them.
pub(crate) fn devices_out(devices: Devices) -> wire::DevicesMap {
    devices.0.into_iter().map(|(name, config)| (name, config.0)).collect()
}
