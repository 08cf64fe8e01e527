//! What snapshots of instances and of volumes have in common: how they are called, when they end, and
//! what their pool does.

use chrono::{DateTime, Local, Utc};
use exec::Control;
use options::{Expiry, Retention, SnapshotPattern};
use storage::{Snapshots, VolumeId};
use wire::Timestamp;

use crate::{Error, Result, World, blocking::blocking};

/// On whose word a snapshot is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Hand,
    Schedule,
}

/// What the options of an owner say of its snapshots.
pub(crate) struct Rules<'a> {
    /// The owner's name, for messages.
    pub(crate) owner: &'a str,
    /// How one is called that is given no name.
    pub(crate) pattern: &'a SnapshotPattern,
    /// When one ends that is given no end.
    pub(crate) expiry: Option<&'a Expiry>,
    /// Which of a schedule's are kept.
    pub(crate) retention: Option<&'a Retention>,
    /// The names that are taken.
    pub(crate) taken: Vec<&'a str>,
}

impl Rules<'_> {
    /// The name of a new snapshot: the given one, or one by the pattern.
    pub(crate) fn name(&self, given: &str) -> Result<String> {
        let name = match given {
            "" => self.pattern.name(clock::utc().with_timezone(&Local).naive_local(), &self.taken),
            given => given.to_owned(),
        };
        options::names::check_snapshot(&name)
            .map_err(|why| Error::invalid("snapshot name", why))?;
        match self.taken.contains(&name.as_str()) {
            true => Err(Error::exists("snapshot", &format!("{}/{name}", self.owner))),
            false => Ok(name),
        }
    }

    /// When a new snapshot ends.
    pub(crate) fn end(
        &self,
        given: Option<Timestamp>,
        by: By,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        match given {
            Some(given) => moment(given),
            None if by == By::Schedule && self.retention.is_some() => Ok(None),
            None => Ok(self.expiry.and_then(|span| span.after(now))),
        }
    }
}

/// The moment a client gives for a snapshot's end; `None` is never.
pub(crate) fn moment(given: Timestamp) -> Result<Option<DateTime<Utc>>> {
    match given.utc() {
        _ if given.is_never() => Ok(None),
        time if time > clock::utc() => Ok(Some(time)),
        time => Err(Error::invalid("expires_at", format!("{time} is in the past"))),
    }
}

/// Does something with the snapshots of a volume in its pool.
pub(crate) async fn on_disk<T: Send + 'static>(
    world: &World,
    pool: &str,
    volume: VolumeId,
    what: &'static str,
    work: impl FnOnce(&dyn Snapshots, &VolumeId) -> storage::Result<T> + Send + 'static,
) -> Result<T> {
    let pool = world.pools.open(world, pool).await?;
    blocking(what, move || match pool.snapshots() {
        Some(snapshots) => Ok(work(snapshots, &volume)?),
        None => Err(Error::Unsupported("a snapshot in a storage pool of this driver")),
    })
    .await
}

/// Keeps a volume's files under a name; those that are kept already are this task's.
pub(crate) fn keep(
    snapshots: &dyn Snapshots,
    volume: &VolumeId,
    name: &str,
    control: &Control,
) -> storage::Result<()> {
    match snapshots.list(volume)?.iter().any(|other| other == name) {
        true => Ok(()),
        false => snapshots.take(volume, name, control),
    }
}

/// Renames what a pool keeps; what is not there was renamed already.
pub(crate) fn rename(
    snapshots: &dyn Snapshots,
    volume: &VolumeId,
    from: &str,
    to: &str,
) -> storage::Result<()> {
    match snapshots.list(volume)?.iter().any(|other| other == from) {
        true => snapshots.rename(volume, from, to),
        false => Ok(()),
    }
}
