//! One run of a task in one world with one fault, and the restart after it.

use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::faults::Faults;
use crate::operation::{Request, Status};
use crate::operations::Operations;
use crate::runner::{Builder, Recovery, Runner};
use crate::{Bus, Locks, Task, chain};

/// How a run ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With this status; true if the task is stuck.
    Ended(Status, bool),
    /// The simulated crash came first.
    Crashed,
}

/// A folder with a journal.
pub(super) struct Scene(PathBuf);

impl Scene {
    pub(super) fn new() -> Scene {
        let folder = std::env::temp_dir().join(format!("microcloud-laws-{}", Uuid::new_v4()));
        // Without the folder the journal does not open, and that is told.
        drop(std::fs::create_dir_all(&folder));
        Scene(folder)
    }

    /// Runs the task until it ends or crashes.
    pub(super) async fn play<T: Task>(
        &self,
        task: T,
        world: &Arc<T::World>,
        faults: &Faults,
    ) -> Result<Outcome, String> {
        let builder = builder::<T>(world).faults(faults.clone()).boot("first");
        let runner = builder.open(&self.journal()).map_err(|error| chain(&error))?;
        let operation = runner.submit(task, Request::new("law")).map_err(|error| chain(&error))?;
        let outcome = tokio::select! {
            status = operation.wait() => Outcome::Ended(status, !runner.stuck().is_empty()),
            () = faults.crashed() => Outcome::Crashed,
        };
        runner.abandon();
        Ok(outcome)
    }

    /// Starts again over the same journal and world. All must be settled then.
    pub(super) async fn settle<T: Task>(
        &self,
        world: &Arc<T::World>,
        faults: &Faults,
    ) -> Result<(), String> {
        let boot = if faults.lose_writes { "second" } else { "first" };
        let builder = builder::<T>(world).faults(Faults::default()).boot(boot);
        let runner = builder.open(&self.journal()).map_err(|error| chain(&error))?;
        for task in runner.recover().await.map_err(|error| chain(&error))? {
            match task.outcome {
                Recovery::Undone => {}
                Recovery::Undoing(operation) => {
                    operation.wait().await;
                }
                Recovery::Resumed(operation) => {
                    operation.wait().await;
                }
                Recovery::Stuck(failure) => return Err(format!("stuck: {failure}")),
                Recovery::Unreadable(error) => return Err(chain(&error)),
            }
        }
        match runner.journaled().await.map_err(|error| chain(&error))? {
            0 => Ok(()),
            _ => Err(format!("not settled: {:?} are stuck", runner.stuck())),
        }
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal.db")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A leftover folder in /tmp is not worth a panic in a destructor.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn builder<T: Task>(world: &Arc<T::World>) -> Builder<T::World> {
    let operations = Operations::new(Bus::new("none"), Locks::new());
    Runner::builder(world.clone(), operations).register::<T>()
}
