//! Rows of the replicated state: one file a resource, each with its struct and its few queries.
//!
//! Everything here takes a transaction ([`Read`] or [`Write`]) from its caller; none opens one, so
//! that a verb can check and write in one all-or-nothing step.

use options::device::Devices;
use serde::{Serialize, de::DeserializeOwned};
use store::{Kind, Migration};

pub mod backups;
pub mod buckets;
pub mod certificates;
pub mod cluster_certificate;
pub mod cluster_groups;
pub mod images;
pub mod instance_snapshots;
pub mod instances;
pub mod leases;
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

/// Every step of the schema, oldest first; a step is never edited once released. What adds works for the version before,
/// too; what breaks stops it, and is better done in two versions (`docs/decisions/upgrade.md`). The first ten are from
/// before there were clusters, so that nothing of an older version ever worked beside them.
pub const MIGRATIONS: &[Migration] = &[
    step(1, "start", Kind::Breaks, include_str!("../../schema/0001_start.sql")),
    step(
        2,
        "instance snapshots",
        Kind::Breaks,
        include_str!("../../schema/0002_instance_snapshots.sql"),
    ),
    step(3, "buckets", Kind::Breaks, include_str!("../../schema/0003_buckets.sql")),
    step(4, "volumes", Kind::Breaks, include_str!("../../schema/0004_volumes.sql")),
    step(
        5,
        "instance backups",
        Kind::Breaks,
        include_str!("../../schema/0005_instance_backups.sql"),
    ),
    step(
        6,
        "backups of volumes and buckets",
        Kind::Breaks,
        include_str!("../../schema/0006_more_backups.sql"),
    ),
    step(
        7,
        "scheduled snapshots",
        Kind::Breaks,
        include_str!("../../schema/0007_scheduled_snapshots.sql"),
    ),
    step(8, "certificates", Kind::Breaks, include_str!("../../schema/0008_certificates.sql")),
    step(9, "warnings", Kind::Breaks, include_str!("../../schema/0009_warnings.sql")),
    step(10, "cluster", Kind::Breaks, include_str!("../../schema/0010_cluster.sql")),
    step(11, "moves", Kind::Adds, include_str!("../../schema/0011_moves.sql")),
    step(
        12,
        "certificate of the cluster",
        Kind::Adds,
        include_str!("../../schema/0012_cluster_certificate.sql"),
    ),
    step(
        13,
        "networks of members",
        Kind::Breaks,
        include_str!("../../schema/0013_networks_members.sql"),
    ),
    step(14, "leases", Kind::Adds, include_str!("../../schema/0014_leases.sql")),
];

const fn step(level: u32, name: &'static str, kind: Kind, sql: &'static str) -> Migration {
    Migration { level, name, kind, sql }
}

#[cfg(test)]
mod tests;

/// Deletes what is on a member that goes.
pub(crate) fn forget_member(
    db: &mut store::Write<'_>,
    member: store::MemberId,
    name: &str,
) -> store::Result<()> {
    // What all share is not gone with it.
    let me = db.me();
    let shared: Vec<String> = pools::all(db)?
        .into_iter()
        .filter(|pool| crate::storage::is_shared(&pool.driver))
        .map(|pool| pool.name)
        .collect();
    for pool in shared {
        let of = "SELECT volumes.project_id, volumes.type, volumes.name FROM volumes
            JOIN storage_pools ON storage_pools.id = volumes.pool_id WHERE storage_pools.name = ?3";
        let sql = format!(
            "UPDATE instances SET member_id = ?2
             WHERE member_id = ?1 AND (project_id, type, name) IN ({of})"
        );
        db.execute(&sql, store::params![member, me, pool])?;
        let sql = "UPDATE volumes SET member_id = ?2 WHERE member_id = ?1
            AND pool_id = (SELECT id FROM storage_pools WHERE name = ?3)";
        db.execute(sql, store::params![member, me, pool])?;
    }
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

/// The same behind what is there.
pub(crate) fn json_behind(out: &mut Vec<u8>, value: &impl Serialize) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
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
