//! Copies of the state: the snapshot from which the log may start, backups, and what the leader
//! sends to a member that is too far behind. A copy says itself what was applied to it.

use std::fs::{self, File};
use std::io::Seek;
use std::path::Path;

use openraft::Snapshot;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::core::Core;
use crate::error::BoxError;
use crate::files;
use crate::meta::Meta;
use crate::raft::{SnapshotMeta, Types};
use crate::state::State;

type Result<T> = std::result::Result<T, BoxError>;

/// Copies the whole database of one connection into another.
pub(crate) fn copy(from: &Connection, to: &mut Connection) -> Result<()> {
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        other => Err(format!("the copy stopped: {other:?}").into()),
    }
}

/// Makes a state of a copy, on disk when this returns: the log that goes on after it must not be there without it.
pub(crate) fn put_back(copy_of_state: &Path, path: &Path) -> Result<Meta> {
    let source = files::open_reader(copy_of_state)?;
    let mut state = files::open_state(path)?;
    copy(&source, &mut state)?;
    state.pragma_update(None, "synchronous", "FULL")?;
    state.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Meta::load(&state)
}

/// What a copy of the state says of itself.
pub(crate) fn read_meta(path: &Path) -> Result<Meta> {
    Meta::load(&files::open_reader(path)?)
}

pub(crate) fn describe(meta: &Meta) -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: meta.applied,
        last_membership: meta.membership.clone(),
        snapshot_id: format!("{}", meta.index()),
    }
}

impl Core {
    /// Makes a copy of the state that survives a power cut, under a new name first.
    pub(crate) fn write_copy(&self, new: &Path, target: &Path) -> Result<()> {
        remove(new)?;
        self.readers.copy_to(new)?;
        File::open(new)?.sync_all()?;
        fs::rename(new, target)?;
        if let Some(folder) = target.parent() {
            files::sync_folder(folder)?;
        }
        Ok(())
    }

    /// Builds the snapshot. The log may be shortened after it, so the state's own file is brought
    /// up to date too.
    pub(crate) fn build_snapshot(&self) -> Result<SnapshotMeta> {
        let target = self.folder.snapshot();
        self.reserve.with_room(|| self.write_copy(&self.folder.snapshot_new(), &target))?;
        let mut state = self.state();
        state.stop_simulation()?;
        state.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        drop(state);
        Ok(describe(&read_meta(&target)?))
    }

    /// The snapshot there is.
    pub(crate) async fn current_snapshot(&self) -> Result<Option<Snapshot<Types>>> {
        let path = self.folder.snapshot();
        if !path.exists() {
            return Ok(None);
        }
        let meta = describe(&read_meta(&path)?);
        let snapshot = Box::new(tokio::fs::File::open(path).await?);
        Ok(Some(Snapshot { meta, snapshot }))
    }

    /// Replaces the state by the snapshot the leader sent.
    pub(crate) fn install_snapshot(&self, mut received: File) -> Result<()> {
        let new = self.folder.snapshot_new();
        let mut copy = File::create(&new)?;
        received.rewind()?;
        std::io::copy(&mut received, &mut copy)?;
        copy.sync_all()?;
        fs::rename(&new, self.folder.snapshot())?;
        files::sync_folder(self.folder.path())?;
        remove(&self.folder.snapshot_received())?;
        let mut state = self.state();
        // Whether the batch on its way is part of it cannot be told.
        state.window.in_flight = None;
        state.replace_by(&self.folder.snapshot())?;
        self.announce(&state);
        Ok(())
    }
}

impl State {
    /// Takes rows and bookkeeping from a copy.
    pub(crate) fn replace_by(&mut self, copy_of_state: &Path) -> Result<()> {
        self.stop_simulation()?;
        let source = files::open_reader(copy_of_state)?;
        copy(&source, &mut self.conn)?;
        self.catalog.forget(&self.conn);
        self.meta = Meta::load(&self.conn)?;
        Ok(())
    }
}

pub(crate) fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
