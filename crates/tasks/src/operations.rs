//! The registry of all operations of this member.
//!
//! An ended operation is kept for some seconds, because clients read its result after they hear of
//! the end. Work without steps to undo (exec, console, tokens) runs here directly with `spawn`; a
//! `Task` goes through the `Runner`, which opens an operation here too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exec::Cancelled;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;
use wire::OperationClass;

use crate::locks::{Busy, Guard, Locks};
use crate::operation::{Operation, Request, WhenBusy};
use crate::{Bus, Error, Failure};

/// How long clients can still read an ended operation.
const KEEP: Duration = Duration::from_secs(5);

/// All operations of this member. Cheap to clone.
#[derive(Clone)]
pub struct Operations {
    inner: Arc<Inner>,
    keep: Duration,
}

struct Inner {
    bus: Bus,
    locks: Locks,
    all: Mutex<HashMap<Uuid, Operation>>,
    /// Number of the member, which its operations carry.
    member: AtomicU16,
}

impl Operations {
    /// No operation yet; changes go to `bus`, claims are made on `locks`.
    pub fn new(bus: Bus, locks: Locks) -> Operations {
        Operations {
            inner: Arc::new(Inner { bus, locks, all: Mutex::default(), member: AtomicU16::new(0) }),
            keep: KEEP,
        }
    }

    /// Keeps ended operations for this long instead.
    #[must_use]
    pub fn keep(mut self, keep: Duration) -> Operations {
        self.keep = keep;
        self
    }

    /// New operations carry this number of a member in the last two bytes of theirs, so that any member knows
    /// whose one is; 0 is nobody's.
    pub fn set_member(&self, member: u16) {
        self.inner.member.store(member, Ordering::Relaxed);
    }

    /// The id of a new operation.
    pub(crate) fn new_id(&self) -> Uuid {
        let mut bytes = Uuid::new_v4().into_bytes();
        bytes[14..].copy_from_slice(&self.inner.member.load(Ordering::Relaxed).to_be_bytes());
        Uuid::from_bytes(bytes)
    }

    /// Where changes go.
    pub fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    /// Where claims are made.
    pub fn locks(&self) -> &Locks {
        &self.inner.locks
    }

    /// The operation with this id, also some seconds after its end.
    pub fn get(&self, id: Uuid) -> Result<Operation, Error> {
        self.all().get(&id).cloned().ok_or(Error::NoOperation(id))
    }

    /// All operations, or those of a project, oldest first.
    pub fn list(&self, project: Option<&str>) -> Vec<Operation> {
        let seen = |operation: &&Operation| {
            project.is_none_or(|project| operation.request().project == project)
        };
        let mut list: Vec<_> = self.all().values().filter(seen).cloned().collect();
        list.sort_by_key(Operation::created);
        list
    }

    /// Operations that have not ended.
    pub fn running(&self) -> usize {
        self.all().values().filter(|operation| !operation.status().is_final()).count()
    }

    /// Runs work that leaves nothing to undo, as exec does. The names in the request are held
    /// meanwhile. Work that can be cancelled looks at `Operation::control` or `cancelled`.
    ///
    /// The work runs up to its first `await` that has to wait before `spawn` returns, so that what it
    /// puts into the metadata there, as the secrets of websockets, is in the answer to the request.
    /// Must be called inside tokio.
    pub fn spawn<F, E>(
        &self,
        request: Request,
        work: impl FnOnce(Operation) -> F + Send + 'static,
    ) -> Result<Operation, Busy>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let (operation, claim) = self.open(self.new_id(), request)?;
        let (handle, operations) = (operation.clone(), self.clone());
        let mut whole: BoxFuture<'static, ()> = Box::pin(async move {
            let result = match claim.wait(&handle).await {
                Err(failure) => Err(failure),
                Ok(guard) => {
                    handle.start();
                    let result = shielded(work(handle.clone())).await;
                    drop(guard);
                    result
                }
            };
            operations.close(&handle, result);
        });
        if whole.as_mut().now_or_never().is_none() {
            tokio::spawn(whole);
        }
        Ok(operation)
    }

    /// An operation that stands for a token: it runs until somebody spends or cancels it.
    pub fn token(&self, request: Request) -> Result<Operation, Busy> {
        self.spawn(request.class(OperationClass::Token), async |operation: Operation| {
            operation.cancelled().await;
            Err(Cancelled)
        })
    }

    /// Registers an operation; it is refused if a claimed name is held and it does not want to wait.
    pub(crate) fn open(&self, id: Uuid, request: Request) -> Result<(Operation, Wanted), Busy> {
        let holder = format!("operation {id} ({})", request.description);
        let guard = match request.when_busy {
            WhenBusy::Refuse => Some(self.inner.locks.try_lock(&request.claims, &holder)?),
            WhenBusy::Wait => None,
        };
        let wanted = Wanted { guard, locks: self.inner.locks.clone(), holder };
        let operation = self.detached(id, request);
        self.enlist(&operation);
        Ok((operation, wanted))
    }

    /// An operation that is not in the registry yet, and whose names are held already.
    pub(crate) fn detached(&self, id: Uuid, request: Request) -> Operation {
        Operation::new(id, request, self.inner.bus.clone())
    }

    /// Puts an operation into the registry and tells of it.
    pub(crate) fn enlist(&self, operation: &Operation) {
        self.all().insert(operation.id(), operation.clone());
        operation.publish();
    }

    /// Ends an operation and forgets it after a while.
    pub(crate) fn close(&self, operation: &Operation, result: Result<(), Failure>) {
        if let Err(failure) = &result {
            tracing::info!(
                operation = %operation.id(),
                description = operation.request().description,
                %failure,
                "operation failed",
            );
        }
        operation.finish(result);
        let (operations, id) = (self.clone(), operation.id());
        tokio::spawn(async move {
            tokio::time::sleep(operations.keep).await;
            // A retried task has a new operation under its old id.
            operations.all().retain(|_, kept| kept.id() != id || !kept.status().is_final());
        });
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Uuid, Operation>> {
        self.inner.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names an operation needs: held already, or to be waited for.
pub(crate) struct Wanted {
    guard: Option<Guard>,
    locks: Locks,
    holder: String,
}

impl Wanted {
    /// Holds the names; fails if the operation is cancelled while it waits.
    pub(crate) async fn wait(self, operation: &Operation) -> Result<Guard, Failure> {
        if let Some(guard) = self.guard {
            return Ok(guard);
        }
        tokio::select! {
            guard = self.locks.lock(&operation.request().claims, &self.holder) => Ok(guard),
            () = operation.cancelled() => Err(Failure::new(Cancelled)),
        }
    }
}

/// Runs the work; a panic is a failure.
async fn shielded<E>(work: impl Future<Output = Result<(), E>>) -> Result<(), Failure>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match std::panic::AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.map_err(Failure::new),
        Err(panic) => Err(Failure::new(Error::Panicked { message: panic_message(&*panic) })),
    }
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
