//! A registered kind of task, its type forgotten, so that a journaled one can be brought back.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Inner;
use super::drive::{Drive, Ended, Plan};
use super::work::work;
use crate::error::Shared;
use crate::journal::{Row, Stage};
use crate::operation::Operation;
use crate::{AfterCrash, Error, Task};

pub(super) trait Kind<W>: Send + Sync {
    /// Which way a leftover goes; `power_cut` means that what was not durable may be lost.
    fn direction(&self, row: &Row, power_cut: bool) -> Direction;

    /// Decodes a journaled task and follows the direction.
    fn settle(
        &self,
        inner: Arc<Inner<W>>,
        row: &Row,
        direction: Direction,
        operation: Operation,
    ) -> Result<BoxFuture<'static, Ended>, Error>;
}

/// Which way a leftover goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward { from: usize, committed: bool },
    Backward { steps: usize },
}

pub(super) struct Of<T>(PhantomData<fn() -> T>);

impl<T> Of<T> {
    pub(super) fn new() -> Of<T> {
        Of(PhantomData)
    }
}

impl<T: Task> Kind<T::World> for Of<T> {
    fn direction(&self, row: &Row, power_cut: bool) -> Direction {
        let steps = T::steps();
        let first = steps.iter().position(|step| step.no_return).unwrap_or(0);
        // A plan of another version may have been longer.
        let done = row.done.min(steps.len());
        match (row.stage, T::AFTER_CRASH) {
            (Stage::Committed, _) => {
                Direction::Forward { from: if power_cut { first } else { done }, committed: true }
            }
            (Stage::Running, AfterCrash::Resume) => {
                Direction::Forward { from: if power_cut { 0 } else { done }, committed: false }
            }
            (Stage::Running | Stage::Undoing, _) if power_cut => {
                Direction::Backward { steps: steps.len() }
            }
            // The step after those that are done may have run half.
            (Stage::Running, AfterCrash::Unwind) => {
                Direction::Backward { steps: (done + 1).min(steps.len()) }
            }
            (Stage::Undoing, _) => Direction::Backward { steps: done },
        }
    }

    fn settle(
        &self,
        inner: Arc<Inner<T::World>>,
        row: &Row,
        direction: Direction,
        operation: Operation,
    ) -> Result<BoxFuture<'static, Ended>, Error> {
        let decode = |what| {
            let (kind, id) = (row.kind.clone(), row.id);
            move |source| Error::Decode { what, kind, id, source }
        };
        let input: T = serde_json::from_str(&row.input).map_err(decode("input"))?;
        let notes = match &row.notes {
            Some(notes) => match (serde_json::from_str(notes), direction) {
                (Ok(notes), _) => notes,
                // Undos work without.
                (Err(_), Direction::Backward { .. }) => T::Notes::default(),
                (Err(error), Direction::Forward { .. }) => return Err(decode("notes")(error)),
            },
            None => T::Notes::default(),
        };
        let work = work(inner.world.clone(), input, notes, operation.clone());
        let drive = Drive::new(inner, work, operation);
        let plan = match direction {
            Direction::Forward { from, committed } => Plan::Forward { from, committed },
            Direction::Backward { steps } => Plan::Backward { steps, cause: interrupted(row) },
        };
        Ok(drive.boxed(plan))
    }
}

fn interrupted(row: &Row) -> Shared {
    Arc::new(Error::Interrupted { kind: row.kind.clone(), id: row.id })
}
