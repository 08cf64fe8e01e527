//! Is all that was stored still there, as it was stored?
//!
//! Volumes that are missing are told, whatever the driver. One with checksums compares everything with them and
//! mends what has a second copy; what it cannot mend is looked for in every volume, so that the files are named.
//! Objects of buckets are compared with their etags. Nothing is changed but what is mended.

use std::collections::BTreeSet;

use exec::{Control, Progress};
use serde_json::Value;
use storage::{Held, VolumeId, VolumeKind};
use tasks::{Operation, Request};
use wire::StoragePoolVerified;

use super::{OpenPool, buckets, find, ids};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{buckets as bucket_rows, instances::Made, members, volumes as rows},
    names, url,
};

/// Verifies a pool. What was found is in the operation's metadata at its end, see [`StoragePoolVerified`].
pub async fn verify(world: &World, caller: &Caller, name: &str) -> Result<Operation> {
    world.store.read(|db| find(db, name))?;
    let pool = world.pools.open(world, name).await?;
    let expected = world.store.read(|db| expected(db, name))?;
    // Shared: what is in the pool may change meanwhile, the pool stays.
    let request = Request::new("Verifying storage pool")
        .resource("storage_pools", url::of("storage-pools", name, names::DEFAULT_PROJECT))
        .requestor(caller.requestor.clone())
        .share(format!("pool/{name}"));
    let name = name.to_owned();
    let work = async move |operation: Operation| {
        let control = operation.control().clone();
        let found = blocking("verify pool", move || look(&pool, &expected, &control)).await?;
        for problem in &found.problems {
            tracing::warn!(pool = name, problem, "verified");
        }
        let value =
            serde_json::to_value(&found).map_err(|error| Error::invalid("report", error))?;
        if let Value::Object(fields) = value {
            fields.into_iter().for_each(|(key, value)| operation.set_metadata(key, value));
        }
        Ok::<_, Error>(())
    };
    Ok(world.operations.spawn(request, work)?)
}

/// The volumes that the database has on this member, as the pool calls them.
fn expected(db: &store::Read<'_>, pool: &str) -> Result<BTreeSet<VolumeId>> {
    let me = members::own_name(db)?;
    let mut expected = BTreeSet::new();
    let here = |made: Made, member: &str| made == Made::Ready && member == me;
    for row in rows::of_pool(db, pool)?.iter().filter(|row| here(row.made, &row.member)) {
        let (kind, name) = match row.kind.as_str() {
            "container" => (VolumeKind::Container, names::volume(&row.project, &row.name)),
            "virtual-machine" => {
                (VolumeKind::VirtualMachine, names::volume(&row.project, &row.name))
            }
            "custom" => (VolumeKind::Custom, names::custom_volume(&row.project, &row.name)),
            _ => continue,
        };
        expected.insert(VolumeId::new(kind, name)?);
    }
    for row in bucket_rows::of_pool(db, pool)?.iter().filter(|row| here(row.made, &row.member)) {
        expected.insert(buckets::volume(&row.project, &row.name)?);
    }
    Ok(expected)
}

fn look(
    pool: &OpenPool,
    expected: &BTreeSet<VolumeId>,
    control: &Control,
) -> Result<StoragePoolVerified> {
    let mut found = StoragePoolVerified::default();
    for id in expected {
        // Whoever deletes it now has marked its row before.
        if !pool.exists(id)? {
            found.problems.push(format!("{} is not in the pool", ids::told(id)));
        }
    }
    if let Some(scrubbed) = pool.scrub(control)? {
        (found.checksums, found.bytes) = (true, scrubbed.bytes);
        (found.repaired, found.damaged) = (scrubbed.repaired, scrubbed.damaged);
    }
    let all = pool.list()?;
    for id in all.iter().filter(|id| id.kind == VolumeKind::Bucket) {
        objects_of(pool, id, &mut found, control)?;
    }
    if found.damaged > 0 {
        for id in &all {
            files_of(pool, id, &mut found.problems, control)?;
        }
        if found.problems.is_empty() {
            found.problems.push(String::from(
                "the damage is in no file: in what was just deleted, or in the pool itself",
            ));
        }
    }
    Ok(found)
}

/// Compares the objects of a bucket with their etags.
fn objects_of(
    pool: &OpenPool,
    id: &VolumeId,
    found: &mut StoragePoolVerified,
    control: &Control,
) -> Result<()> {
    let held = Held::volume(&**pool, id)?;
    let storage::Attached::Path(folder) = &held.attached else { return Ok(()) };
    // One that nobody has put anything into.
    if !folder.join("index.db").exists() {
        return Ok(());
    }
    let before = found.bytes;
    let mut seen = |bytes| {
        let stage = "compare objects".into();
        control.report(Progress { stage, bytes: before + bytes, ..Progress::default() });
        found.bytes = before + bytes;
        !control.cancelled()
    };
    let told = ids::told(id);
    match objects::verify(folder, &mut seen) {
        Ok(damaged) => {
            found.problems.extend(
                damaged.into_iter().map(|damaged| {
                    format!("object \"{}\" in {told}: {}", damaged.key, damaged.why)
                }),
            );
        }
        Err(error) => found.problems.push(format!("{told}: {}", tasks::chain(&error))),
    }
    Ok(control.check()?)
}

/// Names the files of a volume, and of its snapshots, that cannot be read.
fn files_of(
    pool: &OpenPool,
    id: &VolumeId,
    problems: &mut Vec<String>,
    control: &Control,
) -> Result<()> {
    read(ids::told(id), Held::volume(&**pool, id), problems, control)?;
    if let Some(snapshots) = pool.snapshots().filter(|_| id.kind != VolumeKind::Image) {
        for name in snapshots.list(id)? {
            let told = format!("{} as of snapshot \"{name}\"", ids::told(id));
            read(told, Held::snapshot(&**pool, id, &name), problems, control)?;
        }
    }
    Ok(())
}

/// Names the files that cannot be read in one that is called so.
fn read(
    told: String,
    held: storage::Result<Held<'_>>,
    problems: &mut Vec<String>,
    control: &Control,
) -> Result<()> {
    // It may be gone by now.
    let Ok(held) = held else { return Ok(()) };
    for file in storage::unreadable(&held.attached, control)? {
        problems.push(format!("{} in {told}: {}", file.path.display(), file.why));
    }
    Ok(())
}
