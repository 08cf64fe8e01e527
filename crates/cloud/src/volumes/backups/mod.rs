//! Backups of custom volumes: what goes into one, and what becomes of a file that is imported. How they
//! are made and kept is in [`crate::backups`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage::VolumeId;
use store::Read;
use tasks::Request;
use wire::{StorageVolumeBackup, Timestamp};

use super::{Key, users};
use crate::{
    Caller, Error, Result, World,
    backups::{Job, Owner, Source, Words},
    db::{
        backups::{Backup, OF_VOLUMES, Table},
        instances::Made,
        volumes::{self as rows, Volume},
    },
    url,
};

mod contents;
mod draft;
mod import;
mod plain;

pub(crate) use self::import::Import;
pub use self::import::import;

/// What a file that a client sends is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A backup of a volume.
    #[default]
    Backup,
    /// The image of a disc.
    Iso,
    /// A tarball of files.
    Tar,
    /// A disk of QEMU's.
    Qcow2,
}

impl Form {
    /// The form of that word, as requests name it; nothing is a backup.
    pub fn read(word: &str) -> Result<Form> {
        Ok(match word {
            "" | "backup" => Form::Backup,
            "iso" => Form::Iso,
            "tar" => Form::Tar,
            "qcow2" => Form::Qcow2,
            other => {
                let why = format!("\"{other}\": backup, iso, tar, qcow2");
                return Err(Error::invalid("type of the file", why));
            }
        })
    }
}

/// The custom volume whose backups are meant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Of {
    /// Which it is.
    pub volume: Key,
}

impl Owner for Of {
    const WORDS: Words = Words {
        owner: "storage volume",
        making: "Backing up storage volume",
        make: "volume-backup-make",
        delete: "volume-backup-delete",
        rename: "volume-backup-rename",
        events: [
            "storage-volume-backup-created",
            "storage-volume-backup-deleted",
            "storage-volume-backup-renamed",
            "storage-volume-backup-retrieved",
        ],
    };
    const ROWS: Table = OF_VOLUMES;
    type Shown = StorageVolumeBackup;

    fn project(&self) -> &str {
        &self.volume.project
    }

    fn name(&self) -> &str {
        &self.volume.name
    }

    fn here(db: &Read<'_>, me: &str, id: i64) -> Result<Option<Of>> {
        let is = |row: &Volume| row.id == id && row.made == Made::Ready && row.member == me;
        let found = rows::custom(db)?.into_iter().find(is);
        Ok(found.map(|row| Of { volume: super::key_of(&row) }))
    }

    fn id(&self, db: &Read<'_>) -> Result<i64> {
        Ok(self.volume.find(db)?.id)
    }

    fn folder(&self, id: i64) -> PathBuf {
        folder(id)
    }

    fn url(&self, backup: &str) -> String {
        let Key { pool, project, name } = &self.volume;
        url::of(&format!("storage-pools/{pool}/volumes/custom/{name}/backups"), backup, project)
    }

    fn request(&self, _: &World, words: &str, caller: &Caller) -> Request {
        self.volume.request(words, caller)
    }

    fn render(row: Backup) -> StorageVolumeBackup {
        StorageVolumeBackup {
            name: row.name,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.map_or(Timestamp::NEVER, Timestamp::from),
            volume_only: row.without_snapshots,
            optimized_storage: row.optimized,
        }
    }
}

impl Source for Of {
    fn volume(&self, db: &Read<'_>) -> Result<(String, VolumeId)> {
        let key = super::key_of(&self.volume.find(db)?);
        crate::depots::check_backup(db, &key)?;
        Ok((key.pool.clone(), key.on_disk()?))
    }

    /// Every volume has a `_` after its project: none is called so.
    fn side(&self, _db: &Read<'_>, id: i64) -> Result<VolumeId> {
        Ok(VolumeId::new(self.volume.on_disk()?.kind, format!("backup-{id}"))?)
    }

    async fn writers(&self, world: &World) -> Result<Vec<(String, String)>> {
        let row = world.store.read(|db| self.volume.find(db))?;
        users::writers(world, &row).await
    }

    async fn write(&self, world: &World, job: Job) -> Result<()> {
        contents::write(world, &self.volume, job).await
    }
}

/// Where the files of a volume's backups are: by the key of its row, which no rename or move changes.
pub(super) fn folder(id: i64) -> PathBuf {
    Path::new("custom").join(id.to_string())
}
