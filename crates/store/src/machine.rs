//! The state as Raft sees it. Everything runs on the store's own thread; applying is a matter of
//! microseconds, a snapshot of milliseconds.

#![expect(clippy::result_large_err, reason = "the error type is openraft's")]

use std::sync::Arc;

use openraft::storage::RaftStateMachine;
use openraft::{OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError};

use crate::core::Core;
use crate::error::BoxError;
use crate::fault::Fault;
use crate::raft::{Entry, LogId, SnapshotMeta, StorageError, StoredMembership, Types};
use crate::request::Reply;

#[derive(Clone, Debug)]
pub(crate) struct Machine(pub(crate) Arc<Core>);

impl Machine {
    /// Stops the store for good.
    fn fail(&self, fault: Fault) -> StorageError {
        self.0.fault.set(fault.clone());
        StorageIOError::write_state_machine(&crate::Error::from(fault)).into()
    }

    fn attempt<R>(
        &self,
        operation: &'static str,
        result: Result<R, BoxError>,
    ) -> Result<R, StorageError> {
        result.map_err(|e| self.fail(Fault::new(operation, e)))
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Machine;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        let state = self.0.state();
        Ok((state.meta.applied, state.meta.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Reply>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().collect();
        self.0.apply(entries).map_err(|fault| self.fail(fault))
    }

    async fn get_snapshot_builder(&mut self) -> Machine {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<tokio::fs::File>, StorageError> {
        let path = self.0.folder.snapshot_received();
        let file = tokio::fs::File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path)
            .await;
        self.attempt("receive a snapshot", file.map(Box::new).map_err(BoxError::from))
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        mut snapshot: Box<tokio::fs::File>,
    ) -> Result<(), StorageError> {
        use tokio::io::AsyncWriteExt;
        let flushed = snapshot.flush().await.map_err(BoxError::from);
        let received = snapshot.into_std().await;
        let installed = flushed.and_then(|()| self.0.install_snapshot(received));
        self.attempt("install a snapshot", installed)
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let snapshot = self.0.current_snapshot().await;
        self.attempt("read the snapshot", snapshot)
    }
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        let built = self.0.build_snapshot();
        let meta = self.attempt("build a snapshot", built)?;
        let file = tokio::fs::File::open(self.0.folder.snapshot()).await;
        let snapshot = self.attempt("open the snapshot", file.map_err(BoxError::from))?;
        Ok(Snapshot { meta, snapshot: Box::new(snapshot) })
    }
}
