//! What is kept with every pool: the rows that say what its volumes are, and the rows these need.

use serde::{Deserialize, Serialize};
use store::Read;

use crate::{
    Error, Result,
    db::{
        buckets::{self, Bucket, Key},
        instance_snapshots::{self, Snapshot},
        instances::{self, Instance, Made},
        members,
        networks::{self, Network},
        pools::Pool,
        profiles::{self, Profile},
        projects::{self, Project},
        volume_snapshots,
        volumes::{self, Volume},
    },
};

/// Raised when a record is written that older versions would read wrongly.
const VERSION: u32 = 1;

/// Everything that is needed to use a pool again without its database.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    version: u32,
    pub(super) pool: Option<Pool>,
    pub(super) projects: Vec<Project>,
    pub(super) profiles: Vec<Profile>,
    pub(super) networks: Vec<Network>,
    pub(super) instances: Vec<Recorded>,
    pub(super) volumes: Vec<Volume>,
    pub(super) volume_snapshots: Vec<volume_snapshots::Snapshot>,
    pub(super) buckets: Vec<(Bucket, Vec<Key>)>,
}

/// An instance whose root is in the pool.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recorded {
    pub(super) instance: Instance,
    pub(super) snapshots: Vec<Snapshot>,
}

impl Record {
    /// Of a pool, as the database has it now; of what other members have on theirs they keep a record, and each of all that
    /// is in one they share.
    pub(crate) fn of(db: &Read<'_>, pool: &Pool) -> Result<Record> {
        let me = members::own_name(db)?;
        let ready = volumes::of_pool(db, &pool.name)?.into_iter();
        let shared = crate::storage::is_shared(&pool.driver);
        let here = |row: &Volume| row.made == Made::Ready && (shared || row.member == me);
        let volumes: Vec<Volume> = ready.filter(here).collect();
        let mut snapshots = volume_snapshots::all(db)?;
        snapshots.retain(|snapshot| volumes.iter().any(|row| row.id == snapshot.volume_id));
        let is_root = |row: &Instance| {
            let is = |volume: &Volume| volume.project == row.project && volume.name == row.name;
            volumes.iter().any(|volume| volume.kind == row.kind && is(volume))
        };
        let mut recorded = Vec::new();
        for mut instance in instances::all(db)? {
            if instance.made == Made::Ready && is_root(&instance) {
                forget_runs(&mut instance);
                let snapshots = instance_snapshots::of_instance(db, instance.id)?;
                recorded.push(Recorded { instance, snapshots });
            }
        }
        let ready = buckets::of_pool(db, &pool.name)?.into_iter();
        let ready = ready.filter(|bucket| bucket.made == Made::Ready && bucket.member == me);
        let buckets = ready.map(|bucket| Ok((bucket.clone(), buckets::keys(db, bucket.id)?)));
        let networks = networks::all(db)?.into_iter().filter(|row| row.made == Made::Ready);
        Ok(Record {
            version: VERSION,
            pool: Some(pool.clone()),
            projects: projects::all(db)?,
            profiles: profiles::all(db)?,
            networks: networks.collect(),
            instances: recorded,
            volume_snapshots: snapshots,
            buckets: buckets.collect::<Result<_>>()?,
            volumes,
        })
    }

    /// As it is written.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::invalid("record of the pool", error))
    }

    /// What was written; nothing is a record of nothing.
    pub(super) fn read(bytes: Option<Vec<u8>>) -> Result<Record> {
        let Some(bytes) = bytes else { return Ok(Record::default()) };
        let record: Record = serde_json::from_slice(&bytes)
            .map_err(|error| Error::invalid("record of the pool", error))?;
        match record.version {
            0..=VERSION => Ok(record),
            newer => {
                let why = format!("it has version {newer}, this server knows {VERSION}: update it");
                Err(Error::invalid("record of the pool", why))
            }
        }
    }
}

/// What changes with every start would have the record written anew each time.
fn forget_runs(instance: &mut Instance) {
    instance.config.retain(|key, _| !key.starts_with("volatile.last_state."));
    instance.last_used_at = chrono::DateTime::UNIX_EPOCH;
}
