//! One task on its way: forward through its steps, backward through their undos.

use std::sync::Arc;

use exec::Control;
use futures_util::future::BoxFuture;

use super::Inner;
use super::work::Work;
use crate::error::Shared;
use crate::faults::Fail;
use crate::journal::{Stage, Write};
use crate::operation::Operation;
use crate::{Error, Failure};

/// Where to go.
pub(super) enum Plan {
    /// Run the steps from this one on.
    Forward { from: usize, committed: bool },
    /// Undo the first `steps` steps, because of `cause`.
    Backward { steps: usize, cause: Shared },
}

/// How it ended.
pub(super) enum Ended {
    /// The world is as intended, or as before. The journal has forgotten the task.
    Clean(Result<(), Failure>),
    /// Neither; the journal still has it.
    Stuck(Failure),
}

/// A step failed; `reached` steps may have had an effect.
struct Stopped {
    reached: usize,
    cause: Shared,
}

pub(super) struct Drive<W> {
    inner: Arc<Inner<W>>,
    work: Box<dyn Work>,
    operation: Operation,
    control: Control,
    committed: bool,
}

impl<W: Send + Sync + 'static> Drive<W> {
    pub(super) fn new(inner: Arc<Inner<W>>, work: Box<dyn Work>, operation: Operation) -> Drive<W> {
        let control = operation.control().clone();
        Drive { inner, work, operation, control, committed: false }
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.operation
    }

    /// [`Self::settle`], to be kept.
    pub(super) fn boxed(self, plan: Plan) -> BoxFuture<'static, Ended> {
        Box::pin(self.settle(plan))
    }

    /// Follows the plan; a step that fails before the point of no return turns it around.
    pub(super) async fn settle(mut self, plan: Plan) -> Ended {
        match plan {
            Plan::Backward { steps, cause } => self.backward(steps, cause).await,
            Plan::Forward { from, committed } => {
                self.committed = committed;
                match self.forward(from).await {
                    Ok(()) => Ended::Clean(Ok(())),
                    Err(stopped) if self.committed => self.stuck_forward(stopped.cause).await,
                    Err(stopped) => self.backward(stopped.reached, stopped.cause).await,
                }
            }
        }
    }

    async fn forward(&mut self, from: usize) -> Result<(), Stopped> {
        if self.committed {
            self.never_cancel();
        }
        for index in from..self.work.len() {
            let stopped = |reached| move |cause| Stopped { reached, cause };
            self.pass_cancel(index).map_err(stopped(index))?;
            self.pass_no_return(index).await.map_err(stopped(index))?;
            self.step(index).await.map_err(stopped(index + 1))?;
            if index + 1 < self.work.len() {
                self.note(index + 1).await.map_err(stopped(index + 1))?;
            }
        }
        let end = self.inner.journal.write(Write::End { id: self.operation.id() }).await;
        end.map_err(|error| Stopped { reached: self.work.len(), cause: Arc::new(error) })
    }

    /// Stops here if somebody cancelled in time.
    fn pass_cancel(&mut self, index: usize) -> Result<(), Shared> {
        if self.inner.faults.cancel_before == Some(index) {
            // Too late is an answer as well.
            drop(self.operation.cancel());
        }
        self.control.check().map_err(|cancelled| Arc::new(cancelled) as Shared)
    }

    /// Makes the journal durable before a step that cannot be taken back.
    async fn pass_no_return(&mut self, index: usize) -> Result<(), Shared> {
        if self.committed || !self.work.no_return(index) {
            return Ok(());
        }
        self.operation.set_cancellable(false);
        // Whoever cancelled before that line still gets it; later ones are refused.
        self.control.check().map_err(|cancelled| Arc::new(cancelled) as Shared)?;
        let write = Write::NoReturn {
            id: self.operation.id(),
            done: index,
            notes: self.work.notes()?,
            boot: self.inner.boot.clone(),
        };
        self.inner.journal.write(write).await.map_err(shared)?;
        self.committed = true;
        self.never_cancel();
        Ok(())
    }

    fn never_cancel(&mut self) {
        self.operation.set_cancellable(false);
        self.control = self.operation.steadfast_control();
        self.work.set_control(self.control.clone());
    }

    async fn step(&mut self, index: usize) -> Result<(), Shared> {
        let inner = self.inner.clone();
        if inner.faults.fail == Some(Fail::Before(index)) {
            return Err(shared(Error::Injected(index)));
        }
        let (kind, name) = (self.work.kind(), self.work.name(index));
        tracing::debug!(task = %self.operation.id(), kind, step = name, "step");
        self.work.run(index).await?;
        if inner.faults.twice {
            self.work.run(index).await?;
        }
        inner.faults.crash_after_step(index).await;
        if inner.faults.fail == Some(Fail::After(index)) {
            return Err(shared(Error::Injected(index)));
        }
        Ok(())
    }

    async fn note(&self, done: usize) -> Result<(), Shared> {
        let stage = if self.committed { Stage::Committed } else { Stage::Running };
        let write = Write::Step { id: self.operation.id(), stage, done, notes: self.work.notes()? };
        self.inner.journal.write(write).await.map_err(shared)
    }

    /// Undoes the first `steps` steps, newest first, and goes on when one of the undos fails.
    async fn backward(&mut self, steps: usize, cause: Shared) -> Ended {
        self.never_cancel();
        self.turn_around(steps).await;
        let mut failure = Failure { error: cause, undo: Vec::new() };
        if self.work.fenced()
            && let Err(error) = (self.inner.fence)().await
        {
            // All is undone that can be, and once more later.
            failure.undo.push(("writes", error));
        }
        for index in (0..steps).rev() {
            let name = self.work.name(index);
            match self.undo(index).await {
                Ok(()) if failure.undo.is_empty() => self.note_undone(index).await,
                Ok(()) => {}
                Err(error) => failure.undo.push((name, error)),
            }
        }
        if !failure.undo.is_empty() {
            return self.stuck(failure).await;
        }
        match self.inner.journal.write(Write::End { id: self.operation.id() }).await {
            Ok(()) => Ended::Clean(Err(failure)),
            Err(error) => {
                failure.undo.push(("end", shared(error)));
                Ended::Stuck(failure)
            }
        }
    }

    async fn undo(&mut self, index: usize) -> Result<(), Shared> {
        let (id, name) = (self.operation.id(), self.work.name(index));
        let Some(undo) = self.work.undo(index) else { return Ok(()) };
        tracing::debug!(task = %id, step = name, "undo");
        if self.inner.faults.fail_undo {
            return Err(shared(Error::Injected(index)));
        }
        undo.await?;
        match self.work.undo(index).filter(|_| self.inner.faults.twice) {
            Some(again) => again.await,
            None => Ok(()),
        }
    }

    /// Notes that the task goes backward. Without the note a crash leads to the same undos again.
    async fn turn_around(&self, steps: usize) {
        let Ok(notes) = self.work.notes() else { return };
        let write =
            Write::Step { id: self.operation.id(), stage: Stage::Undoing, done: steps, notes };
        self.inner.warn(self.inner.journal.write(write).await);
    }

    async fn note_undone(&self, index: usize) {
        let write = Write::Undone { id: self.operation.id(), done: index };
        self.inner.warn(self.inner.journal.write(write).await);
    }

    async fn stuck_forward(&self, cause: Shared) -> Ended {
        self.stuck(Failure { error: cause, undo: Vec::new() }).await
    }

    async fn stuck(&self, failure: Failure) -> Ended {
        let write = Write::Stuck { id: self.operation.id(), error: failure.to_string() };
        self.inner.warn(self.inner.journal.write(write).await);
        Ended::Stuck(failure)
    }
}

impl<W> Inner<W> {
    /// For writes whose loss only costs undos that run again.
    fn warn(&self, written: Result<(), Error>) {
        if let Err(error) = written {
            tracing::warn!(error = %crate::chain(&error), "task journal");
        }
    }
}

fn shared(error: Error) -> Shared {
    Arc::new(error)
}
