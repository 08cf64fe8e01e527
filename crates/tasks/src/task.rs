//! What a task is: an input, notes, and a list of steps with their undos.
//!
//! Authors write one file a task. It opens with the list (`Task::steps`), and each step is a plain
//! `async fn` below it, so that the file reads as a story. The crate head has an example.

use std::sync::Arc;

use exec::{Cancelled, Control};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Operation;

/// What becomes of a task that a crash interrupted before its point of no return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCrash {
    /// Undo it, newest step first.
    Unwind,
    /// Go on with it.
    Resume,
}

/// A change of the world in several steps, all or nothing. The value itself is the input.
///
/// The laws a task keeps (`laws::check` tests them):
/// - a step may run twice;
/// - an undo may run twice, and also when its step ran half or never;
/// - an undo works from the input alone when the notes are missing.
pub trait Task: Sized + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Names the task in the journal; unique and never changed once released.
    const KIND: &'static str;
    /// What to do with it after a crash.
    const AFTER_CRASH: AfterCrash = AfterCrash::Unwind;
    /// Whether its undos look at the state to see what its steps did: then they begin when nothing that these wrote
    /// can take effect any more (`Builder::fence`). False for one that is undone though nobody may answer.
    const FENCED: bool = true;
    /// What the steps act on.
    type World: Send + Sync + 'static;
    /// What steps learned, for later steps and for undos. Journaled after each step.
    type Notes: Default + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// How a step fails.
    type Error: std::error::Error + From<Cancelled> + Send + Sync + 'static;

    /// The plan, in order.
    fn steps() -> Vec<Step<Self>>;
}

/// What a step or an undo is given.
pub struct Cx<T: Task> {
    /// The task's id; the same after a crash, so that what a step makes can be marked with it.
    pub id: Uuid,
    /// What the steps act on.
    pub world: Arc<T::World>,
    /// The task itself.
    pub input: Arc<T>,
    /// What the steps learned so far.
    pub notes: T::Notes,
    /// Progress and cancel, to hand down to long work. Never cancelled inside an undo.
    pub control: Control,
    /// The operation a client looks at; for its metadata.
    pub operation: Operation,
}

impl<T: Task> Cx<T> {
    /// Fails if somebody asked to cancel; for the middle of a long step.
    pub fn check(&self) -> Result<(), T::Error> {
        Ok(self.control.check()?)
    }
}

/// A step's or an undo's function. Every `async fn(cx: &mut Cx<T>) -> Result<(), T::Error>` is one.
pub trait StepFn<'a, T: Task>: Send + Sync {
    /// Runs it.
    fn call(&self, cx: &'a mut Cx<T>) -> BoxFuture<'a, Result<(), T::Error>>;
}

impl<'a, T, F, R> StepFn<'a, T> for F
where
    T: Task,
    F: Fn(&'a mut Cx<T>) -> R + Send + Sync,
    R: Future<Output = Result<(), T::Error>> + Send + 'a,
{
    fn call(&self, cx: &'a mut Cx<T>) -> BoxFuture<'a, Result<(), T::Error>> {
        Box::pin(self(cx))
    }
}

pub(crate) type Action<T> = Box<dyn for<'a> StepFn<'a, T>>;

/// One line of a task's plan.
pub struct Step<T: Task> {
    pub(crate) name: &'static str,
    pub(crate) run: Action<T>,
    pub(crate) undo: Option<Action<T>>,
    pub(crate) no_return: bool,
}

/// A step, by its name (as in "make root volume") and its function.
pub fn step<T: Task>(name: &'static str, run: impl for<'a> StepFn<'a, T> + 'static) -> Step<T> {
    Step { name, run: Box::new(run), undo: None, no_return: false }
}

impl<T: Task> Step<T> {
    /// How to take the step back.
    #[must_use]
    pub fn undo(mut self, undo: impl for<'a> StepFn<'a, T> + 'static) -> Self {
        self.undo = Some(Box::new(undo));
        self
    }

    /// From this step on the task only goes forward, as with the deletion of a move's source.
    ///
    /// Before the step runs, the journal with all notes is made durable; what earlier steps did must
    /// be durable by then too. Afterwards the task cannot be cancelled, nothing is undone, and a
    /// failure or a crash makes the runner try this and the later steps again until they succeed.
    #[must_use]
    pub fn point_of_no_return(mut self) -> Self {
        self.no_return = true;
        self
    }

    /// The step's name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}
