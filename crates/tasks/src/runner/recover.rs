//! After a crash, and for what is stuck: settles every task the journal still has.
//!
//! | the journal says | crash of the process | power cut (another boot) |
//! |---|---|---|
//! | running, unwinds | undo the done steps and the one after | undo all steps |
//! | running, resumes | go on after the done steps | start again from the first step |
//! | past the point of no return | go on after the done steps | go on from the point |
//! | undoing | go on undoing | undo all steps |
//!
//! After a power cut the notes may be older than the effects, and effects may be older than the
//! notes: neither the one nor the other was made durable, save at a point of no return.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::watch;
use uuid::Uuid;

use super::kind::Direction;
use super::{Inner, Runner};
use crate::journal::{Row, Write};
use crate::locks::{Claim, Guard};
use crate::operation::{Operation, Request};
use crate::reconcile::{Reconciler, Report, Topic};
use crate::{Error, Failure};

/// How long a start waits for undos; longer ones go on while the daemon serves.
const PATIENCE: Duration = Duration::from_secs(30);

/// A task that was found in the journal.
#[derive(Debug)]
pub struct Recovered {
    /// Its id, and that of its operation.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// What its starter called it.
    pub description: String,
    /// What became of it.
    pub outcome: Recovery,
}

/// What became of a task that was found in the journal.
#[derive(Debug)]
pub enum Recovery {
    /// Undone: the world is as before the task.
    Undone,
    /// Its undos are still running.
    Undoing(Operation),
    /// It goes on.
    Resumed(Operation),
    /// An undo failed; it is tried again later, and the task's names stay held.
    Stuck(Failure),
    /// This version does not know the kind or cannot read the task. It is kept, its names held.
    Unreadable(Error),
}

/// A task that moves again, or why it does not.
type Launched = Result<(Operation, Direction), Error>;

struct Leftover {
    id: Uuid,
    kind: String,
    description: String,
    launched: Launched,
}

impl<W: Send + Sync + 'static> Runner<W> {
    /// Settles what earlier sessions left in the journal. To be called once at start, before the
    /// doors open.
    ///
    /// All names are claimed before it returns. Undos have ended by then unless they take longer
    /// than half a minute; tasks that resume go on behind.
    pub async fn recover(&self) -> Result<Vec<Recovered>, Error> {
        let mut recovered = self.0.recovered.lock().await;
        if *recovered {
            drop(recovered);
            return self.retry().await;
        }
        let mut rows = self.0.journal.load().await?;
        rows.retain(|row| row.session != self.0.session);
        let launched = self.0.relaunch_all(rows);
        *recovered = true;
        drop(recovered);
        Ok(settled(launched).await)
    }

    /// Tries the stuck tasks again.
    pub async fn retry(&self) -> Result<Vec<Recovered>, Error> {
        let motion = self.0.recovered.lock().await;
        // Read before the journal: a task in this list neither runs nor ends meanwhile.
        let stuck = self.stuck();
        if stuck.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = self.0.journal.load().await?;
        rows.retain(|row| stuck.contains(&row.id));
        let launched = self.0.relaunch_all(rows);
        drop(motion);
        Ok(settled(launched).await)
    }

    /// Forgets a task that is stuck or cannot be read: somebody has cleaned up by hand.
    pub async fn forget(&self, id: Uuid) -> Result<(), Error> {
        let _motion = self.0.recovered.lock().await;
        if !self.0.held().contains_key(&id) {
            return Err(Error::NotStuck(id));
        }
        self.0.journal.write(Write::End { id }).await?;
        self.0.held().remove(&id);
        Ok(())
    }

    /// How many tasks the journal has, running ones included.
    pub async fn journaled(&self) -> Result<usize, Error> {
        Ok(self.0.journal.load().await?.len())
    }

    /// Changes when a task gets stuck that had not been before.
    pub fn watch_stuck(&self) -> watch::Receiver<u64> {
        self.0.got_stuck.subscribe()
    }

    /// The ids of tasks that are stuck or cannot be read.
    pub fn stuck(&self) -> Vec<Uuid> {
        self.0.held().keys().copied().collect()
    }
}

impl<W: Send + Sync + 'static> Inner<W> {
    fn relaunch_all(self: &Arc<Self>, rows: Vec<Row>) -> Vec<Leftover> {
        rows.into_iter()
            .map(|row| {
                let (id, kind) = (row.id, row.kind.clone());
                let (description, launched) = self.relaunch(row);
                Leftover { id, kind, description, launched }
            })
            .collect()
    }

    /// Sets a journaled task in motion; what cannot move keeps its names.
    fn relaunch(self: &Arc<Self>, row: Row) -> (String, Launched) {
        let request = serde_json::from_str::<Request>(&row.request).unwrap_or_default();
        let description = request.description.clone();
        let guard = self.reclaim(row.id, &request.claims);
        (description, self.relaunch_with(&row, request, guard))
    }

    fn relaunch_with(self: &Arc<Self>, row: &Row, request: Request, guard: Guard) -> Launched {
        let Some(kind) = self.kinds.get(row.kind.as_str()) else {
            self.held().insert(row.id, guard);
            return Err(Error::NotRegistered(row.kind.clone()));
        };
        let direction = kind.direction(row, row.boot != self.boot);
        let operation = self.operations.detached(row.id, recovery_request(request, direction));
        let settle = match kind.settle(self.clone(), row, direction, operation.clone()) {
            Ok(settle) => settle,
            Err(error) => {
                self.held().insert(row.id, guard);
                return Err(error);
            }
        };
        self.operations.enlist(&operation);
        operation.start();
        let (inner, handle) = (self.clone(), operation.clone());
        self.track(row.id, async move {
            let ended = settle.await;
            inner.end(&handle, guard, ended);
        });
        Ok((operation, direction))
    }

    /// The task's names: held since it got stuck, or free since no other task runs yet.
    fn reclaim(&self, id: Uuid, claims: &[Claim]) -> Guard {
        let held = self.held().remove(&id);
        held.unwrap_or_else(|| self.operations.locks().seize(claims, &format!("operation {id}")))
    }
}

fn recovery_request(request: Request, direction: Direction) -> Request {
    let verb = match direction {
        Direction::Forward { .. } => "Finishing",
        Direction::Backward { .. } => "Undoing",
    };
    let description = format!("{verb}: {}", request.description);
    Request { description, class: wire::OperationClass::Task, cancellable: false, ..request }
}

async fn settled(leftovers: Vec<Leftover>) -> Vec<Recovered> {
    let settled = leftovers.into_iter().map(|leftover| async move {
        let Leftover { id, kind, description, launched } = leftover;
        Recovered { id, kind, description, outcome: outcome(launched).await }
    });
    join_all(settled).await
}

async fn outcome(launched: Launched) -> Recovery {
    match launched {
        Err(error) => Recovery::Unreadable(error),
        Ok((operation, Direction::Forward { .. })) => Recovery::Resumed(operation),
        Ok((operation, Direction::Backward { .. })) => {
            if !operation.wait_timeout(PATIENCE).await.is_final() {
                return Recovery::Undoing(operation);
            }
            match operation.failure() {
                Some(failure) if !failure.undo.is_empty() => Recovery::Stuck(failure),
                _ => Recovery::Undone,
            }
        }
    }
}

/// The topic of tasks that got stuck.
pub const STUCK: Topic = "stuck tasks";

/// The reconciler that tries stuck tasks again.
pub struct Stuck<W>(Runner<W>);

impl<W> Stuck<W> {
    /// Of this runner.
    pub fn new(runner: &Runner<W>) -> Stuck<W> {
        Stuck(runner.clone())
    }
}

#[async_trait]
impl<W: Send + Sync + 'static> Reconciler<W> for Stuck<W> {
    fn name(&self) -> &'static str {
        "stuck tasks"
    }

    fn topics(&self) -> &'static [Topic] {
        &[STUCK]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self, _: &Arc<W>) -> Report {
        let mut report = Report::default();
        match self.0.retry().await {
            Ok(recovered) => recovered.into_iter().for_each(|task| match task.outcome {
                Recovery::Stuck(failure) => report.fail(failure.error),
                Recovery::Unreadable(error) => report.fail(Arc::new(error)),
                _ => report.changed += 1,
            }),
            Err(error) => report.fail(Arc::new(error)),
        }
        report
    }
}
