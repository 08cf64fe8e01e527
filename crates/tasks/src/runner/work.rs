//! A task's steps with the task's type forgotten, so that the way through them is compiled once and
//! not for every kind of task.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use exec::Control;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::error::Shared;
use crate::operation::Operation;
use crate::operations::panic_message;
use crate::task::{Action, Cx, Step};
use crate::{Error, Task};

/// What a task can do, step by step; steps are counted from 0.
pub(super) trait Work: Send + Sync {
    /// The task's kind.
    fn kind(&self) -> &'static str;

    /// Whether its undos begin when nothing that it wrote can take effect any more.
    fn fenced(&self) -> bool;

    /// How many steps there are.
    fn len(&self) -> usize;

    /// A step's name.
    fn name(&self, index: usize) -> &'static str;

    /// Whether the task only goes forward from this step on.
    fn no_return(&self, index: usize) -> bool;

    /// Runs a step.
    fn run(&mut self, index: usize) -> BoxFuture<'_, Result<(), Shared>>;

    /// Runs a step's undo, if it has one.
    fn undo(&mut self, index: usize) -> Option<BoxFuture<'_, Result<(), Shared>>>;

    /// The notes, for the journal.
    fn notes(&self) -> Result<String, Shared>;

    /// Gives the later steps another control.
    fn set_control(&mut self, control: Control);
}

struct Typed<T: Task> {
    steps: Vec<Step<T>>,
    cx: Cx<T>,
}

/// The work of a task that was given these notes.
pub(super) fn work<T: Task>(
    world: Arc<T::World>,
    input: T,
    notes: T::Notes,
    operation: Operation,
) -> Box<dyn Work> {
    let cx = Cx {
        id: operation.id(),
        world,
        input: Arc::new(input),
        notes,
        control: operation.control().clone(),
        operation,
    };
    Box::new(Typed { steps: T::steps(), cx })
}

impl<T: Task> Work for Typed<T> {
    fn kind(&self) -> &'static str {
        T::KIND
    }

    fn fenced(&self) -> bool {
        T::FENCED
    }

    fn len(&self) -> usize {
        self.steps.len()
    }

    fn name(&self, index: usize) -> &'static str {
        self.steps[index].name
    }

    fn no_return(&self, index: usize) -> bool {
        self.steps[index].no_return
    }

    fn run(&mut self, index: usize) -> BoxFuture<'_, Result<(), Shared>> {
        call(&self.steps[index].run, &mut self.cx)
    }

    fn undo(&mut self, index: usize) -> Option<BoxFuture<'_, Result<(), Shared>>> {
        Some(call(self.steps[index].undo.as_ref()?, &mut self.cx))
    }

    fn notes(&self) -> Result<String, Shared> {
        serde_json::to_string(&self.cx.notes).map_err(|source| {
            Arc::new(Error::Encode { what: "notes", kind: T::KIND.to_owned(), source }) as Shared
        })
    }

    fn set_control(&mut self, control: Control) {
        self.cx.control = control;
    }
}

/// Runs a step or an undo.
fn call<'a, T: Task>(
    action: &'a Action<T>,
    cx: &'a mut Cx<T>,
) -> BoxFuture<'a, Result<(), Shared>> {
    let shared = |result: Result<(), T::Error>| result.map_err(|error| Arc::new(error) as Shared);
    caught(action.call(cx).map(shared).boxed())
}

/// A panic is a failure like others.
fn caught(work: BoxFuture<'_, Result<(), Shared>>) -> BoxFuture<'_, Result<(), Shared>> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .map(|result| match result {
            Ok(result) => result,
            Err(panic) => {
                Err(Arc::new(Error::Panicked { message: panic_message(&*panic) }) as Shared)
            }
        })
        .boxed()
}
