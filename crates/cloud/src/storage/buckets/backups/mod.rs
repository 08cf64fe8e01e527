//! Backups of buckets: what goes into one, and what becomes of a file that is imported. How they are
//! made and kept is in [`crate::backups`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage::{VolumeId, VolumeKind};
use store::Read;
use tasks::Request;
use wire::{StorageBucketBackup, Timestamp};

use crate::{
    Caller, Result, World,
    backups::{Job, Owner, Source, Words},
    db::{
        backups::{Backup, OF_BUCKETS, Table},
        buckets::{self as rows, Bucket},
        instances::Made,
    },
    url,
};

mod contents;
mod draft;
mod import;

pub(crate) use self::import::Import;
pub use self::import::import;

/// The bucket whose backups are meant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Of {
    bucket: Which,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Which {
    pool: String,
    /// The project it is in.
    project: String,
    member: String,
    name: String,
}

impl Of {
    /// The bucket that a client names, from a project that sees it.
    pub fn asked(world: &World, (pool, project, name): super::keys::Of<'_>) -> Result<Of> {
        let found = world.store.read(|db| super::find(db, &world.me(), pool, project, name));
        Ok(Of::row(&found?))
    }

    fn row(row: &Bucket) -> Of {
        let Bucket { pool, project, member, name, .. } = row.clone();
        Of { bucket: Which { pool, project, member, name } }
    }

    fn find(&self, db: &Read<'_>) -> Result<Bucket> {
        let Which { pool, project, member, name } = &self.bucket;
        super::find(db, member, pool, project, name)
    }
}

impl Owner for Of {
    const WORDS: Words = Words {
        owner: "storage bucket",
        making: "Backing up storage bucket",
        make: "bucket-backup-make",
        delete: "bucket-backup-delete",
        rename: "bucket-backup-rename",
        events: [
            "storage-bucket-backup-created",
            "storage-bucket-backup-deleted",
            "storage-bucket-backup-renamed",
            "storage-bucket-backup-retrieved",
        ],
    };
    const ROWS: Table = OF_BUCKETS;
    type Shown = StorageBucketBackup;

    fn project(&self) -> &str {
        &self.bucket.project
    }

    fn name(&self) -> &str {
        &self.bucket.name
    }

    fn here(db: &Read<'_>, me: &str, id: i64) -> Result<Option<Of>> {
        let found = rows::by_id(db, id)?;
        let found = found.filter(|row| row.made == Made::Ready && row.member == me);
        Ok(found.as_ref().map(Of::row))
    }

    fn id(&self, db: &Read<'_>) -> Result<i64> {
        Ok(self.find(db)?.id)
    }

    fn folder(&self, id: i64) -> PathBuf {
        folder(id)
    }

    fn url(&self, backup: &str) -> String {
        let Which { pool, project, name, .. } = &self.bucket;
        url::own(&format!("storage-pools/{pool}/buckets/{name}/backups"), backup, project)
    }

    fn request(&self, _: &World, words: &str, caller: &Caller) -> Request {
        let Which { pool, project, name, .. } = &self.bucket;
        super::request(words, pool, project, name, caller)
    }

    fn render(row: Backup) -> StorageBucketBackup {
        StorageBucketBackup {
            name: row.name,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.map_or(Timestamp::NEVER, Timestamp::from),
        }
    }
}

impl Source for Of {
    fn volume(&self, db: &Read<'_>) -> Result<(String, VolumeId)> {
        let Bucket { pool, project, name, .. } = self.find(db)?;
        Ok((pool, super::volume(&project, &name)?))
    }

    /// Every bucket has a `_` after its project: none is called so. None is ever made: a store shows
    /// itself as it was at one moment while it goes on.
    fn side(&self, _db: &Read<'_>, id: i64) -> Result<VolumeId> {
        Ok(VolumeId::new(VolumeKind::Bucket, format!("backup-{id}"))?)
    }

    async fn writers(&self, _: &World) -> Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    async fn write(&self, world: &World, job: Job) -> Result<()> {
        contents::write(world, self, job).await
    }
}

/// Where the files of a bucket's backups are, by the key of its row.
pub(super) fn folder(id: i64) -> PathBuf {
    Path::new("buckets").join(id.to_string())
}
