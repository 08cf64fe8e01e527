//! Backups of instances: what goes into one, and what becomes of one that is imported. How they are made
//! and kept is in [`crate::backups`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage::VolumeId;
use store::Read;
use tasks::Request;
use wire::{InstanceBackup, Timestamp};

use super::{Kind, guests::Phase, snapshots};
use crate::{
    Caller, Error, Result, World,
    backups::{Job, Owner, Source, Words},
    db::{
        backups::{Backup, OF_INSTANCES, Table},
        instances::{self as rows, Instance, Made},
    },
    names, url,
};

mod contents;
mod draft;
mod import;

pub(crate) use self::import::Import;
pub use self::import::import;

/// What a machine as it is now is called in the file.
pub(crate) fn of_machine() -> &'static str {
    let [now, _] = contents::names(Kind::VirtualMachine);
    now
}

/// The instance whose backups are meant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Of {
    /// Its project.
    pub project: String,
    /// Its name.
    pub instance: String,
}

impl Of {
    /// The instance of that project and name.
    pub fn new(project: &str, instance: &str) -> Of {
        Of { project: project.to_owned(), instance: instance.to_owned() }
    }

    fn root(&self, db: &Read<'_>) -> Result<VolumeId> {
        let row = rows::get(db, &self.project, &self.instance)?;
        row.map_or(Kind::Container, |row| row.kind()).root(&self.project, &self.instance)
    }
}

impl Owner for Of {
    const WORDS: Words = Words {
        owner: "instance",
        making: "Backing up instance",
        make: "instance-backup-make",
        delete: "instance-backup-delete",
        rename: "instance-backup-rename",
        events: [
            "instance-backup-created",
            "instance-backup-deleted",
            "instance-backup-renamed",
            "instance-backup-retrieved",
        ],
    };
    const ROWS: Table = OF_INSTANCES;
    type Shown = InstanceBackup;

    fn project(&self) -> &str {
        &self.project
    }

    fn name(&self) -> &str {
        &self.instance
    }

    fn here(db: &Read<'_>, me: &str, id: i64) -> Result<Option<Of>> {
        let is = |row: &Instance| row.id == id && row.made == Made::Ready && row.member == me;
        let found = rows::all(db)?.into_iter().find(is);
        Ok(found.map(|row| Of::new(&row.project, &row.name)))
    }

    fn id(&self, db: &Read<'_>) -> Result<i64> {
        Ok(super::find(db, &self.project, &self.instance)?.id)
    }

    fn folder(&self, _id: i64) -> PathBuf {
        folder(&self.project, &self.instance)
    }

    fn url(&self, backup: &str) -> String {
        url::of(&format!("instances/{}/backups", self.instance), backup, &self.project)
    }

    fn request(&self, world: &World, words: &str, caller: &Caller) -> Request {
        super::request(world, words, caller, &self.project, &self.instance)
    }

    fn render(row: Backup) -> InstanceBackup {
        InstanceBackup {
            name: row.name,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.map_or(Timestamp::NEVER, Timestamp::from),
            instance_only: row.without_snapshots,
            container_only: row.without_snapshots,
            optimized_storage: row.optimized,
        }
    }
}

impl Source for Of {
    fn volume(&self, db: &Read<'_>) -> Result<(String, VolumeId)> {
        let pool = snapshots::pool_of(db, &self.project, &self.instance)?;
        Ok((pool, self.root(db)?))
    }

    /// No instance can be called so.
    fn side(&self, db: &Read<'_>, _id: i64) -> Result<VolumeId> {
        let root = self.root(db)?;
        Ok(VolumeId::new(root.kind, format!("{}@backup", root.name))?)
    }

    async fn writers(&self, world: &World) -> Result<Vec<(String, String)>> {
        let guest = world.guests.get(&self.project, &self.instance);
        let runs = guest.is_some_and(|guest| guest.phase() != Phase::Gone);
        Ok(self.itself().filter(|_| runs).into_iter().collect())
    }

    fn itself(&self) -> Option<(String, String)> {
        Some((self.project.clone(), self.instance.clone()))
    }

    async fn write(&self, world: &World, job: Job) -> Result<()> {
        contents::write(world, self, job).await
    }
}

/// Where the files of an instance's backups are.
pub(in crate::instances) fn folder(project: &str, instance: &str) -> PathBuf {
    Path::new("instances").join(names::instance_id(project, instance))
}

/// Fails where an instance has backups that cannot be reached.
pub(super) fn check_reached(world: &World, project: &str, instance: &str) -> Result<()> {
    world.store.read(|db| {
        let id = crate::instances::find(db, project, instance)?.id;
        crate::backups::check_reached(world, db, OF_INSTANCES, id)
    })
}

/// Moves the files of all backups along with an instance; none is Ok.
pub(super) async fn follow(world: &World, from: (&str, &str), to: (&str, &str)) -> Result<()> {
    let folder = |(project, name): (&str, &str)| folder(project, name);
    match crate::backups::follow(world, &folder(from), &folder(to)).await {
        // One that has backups was refused ([`check_reached`]).
        Err(Error::NoDepot { .. }) => Ok(()),
        followed => followed,
    }
}
