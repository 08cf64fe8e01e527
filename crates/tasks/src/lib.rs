//! Work of several steps that is done whole or not at all, and what clients see of work.
//!
//! ```
//! # use std::sync::{Arc, Mutex};
//! # use exec::Cancelled;
//! # use serde::{Deserialize, Serialize};
//! use tasks::{Cx, Step, Task, step};
//!
//! # #[derive(Debug, thiserror::Error)]
//! # enum Error { #[error(transparent)] Cancelled(#[from] Cancelled) }
//! # #[derive(Default)]
//! # struct World { volumes: Mutex<Vec<String>> }
//! /// Makes a volume and starts what lives on it.
//! #[derive(Serialize, Deserialize)]
//! struct Launch {
//!     name: String,
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Notes {
//!     size: u64,
//! }
//!
//! impl Task for Launch {
//!     const KIND: &'static str = "launch";
//!     type World = World;
//!     type Notes = Notes;
//!     type Error = Error;
//!
//!     fn steps() -> Vec<Step<Self>> {
//!         vec![
//!             step("make root volume", make_root).undo(delete_root),
//!             step("start", start),
//!         ]
//!     }
//! }
//!
//! async fn make_root(cx: &mut Cx<Launch>) -> Result<(), Error> {
//!     cx.world.volumes.lock().unwrap().push(cx.input.name.clone());
//!     cx.notes.size = 42;
//!     Ok(())
//! }
//!
//! async fn delete_root(cx: &mut Cx<Launch>) -> Result<(), Error> {
//!     cx.world.volumes.lock().unwrap().retain(|name| *name != cx.input.name);
//!     Ok(())
//! }
//!
//! async fn start(cx: &mut Cx<Launch>) -> Result<(), Error> {
//!     cx.check()
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! # use tasks::{Bus, Locks, Operations, Request, Runner, Status};
//! # let folder = tempfile::tempdir().unwrap();
//! # let journal = folder.path().join("local.db");
//! let operations = Operations::new(Bus::new("none"), Locks::new());
//! let runner = Runner::builder(Arc::new(World::default()), operations)
//!     .register::<Launch>()
//!     .open(&journal)
//!     .unwrap();
//! runner.recover().await.unwrap();
//!
//! let request = Request::new("Creating instance")
//!     .resource("instances", "/1.0/instances/web")
//!     .lock("instance/default/web");
//! let operation = runner.submit(Launch { name: "web".into() }, request).unwrap();
//! assert_eq!(operation.wait().await, Status::Success);
//! # }
//! ```
//!
//! The crate knows no driver and no database of the cloud: the crate `cloud` says which `World` its
//! tasks act on. `laws::check` tests a task: it makes every step fail, repeats it, crashes around it.
//! Left out: graphs of steps (a list suffices), tasks that span members (each member journals its own).

mod bus;
mod error;
mod faults;
mod journal;
pub mod laws;
mod locks;
mod operation;
mod operations;
mod reconcile;
mod runner;
mod task;

pub use bus::{Bus, Filter, Item, Subscription};
pub use error::{Error, Failure, Shared, chain};
pub use exec::{Cancelled, Control, Progress};
pub use faults::{CRASH_VARIABLE, Crash, Fail, Faults};
pub use journal::journal_damage;
pub use locks::{Busy, Claim, Guard, Locks};
pub use operation::{
    Door, Expected, Message, Operation, Request, Resources, Seat, Socket, Status, WhenBusy,
};
pub use operations::Operations;
pub use reconcile::{Health, Reconciler, Reconcilers, Report, Topic};
pub use runner::{Builder, Recovered, Recovery, Runner, STUCK, Stuck};
pub use task::{AfterCrash, Cx, Step, StepFn, Task, step};

#[cfg(test)]
mod tests;
