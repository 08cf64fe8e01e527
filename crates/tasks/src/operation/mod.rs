//! One operation: what a client sees of work that goes on.
//!
//! A handle is cheap to clone and stays valid after the end; the registry forgets an operation some
//! seconds later. The work changes the metadata and reports progress; anybody may wait or cancel.
//! Each change goes to the bus in the form of the API.

mod progress;
mod request;
mod socket;
mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use exec::{Control, Progress};
use serde_json::{Map, Value};
use tokio::sync::watch;
use uuid::Uuid;
use wire::Timestamp;

pub use request::{Request, Resources, WhenBusy};
pub use socket::{Door, Expected, Message, Seat, Socket};
pub use status::Status;

use crate::{Bus, Error, Failure};
use progress::Reporter;
use socket::Places;

/// A handle to an operation.
#[derive(Clone)]
pub struct Operation(Arc<Inner>);

struct Inner {
    id: Uuid,
    request: Request,
    created: Timestamp,
    control: Control,
    bus: Bus,
    cancellable: AtomicBool,
    status: watch::Sender<Status>,
    state: Mutex<State>,
    seats: Mutex<Places>,
}

struct State {
    updated: Timestamp,
    metadata: Map<String, Value>,
    reporter: Reporter,
    failure: Option<Failure>,
}

impl Operation {
    pub(crate) fn new(id: Uuid, request: Request, bus: Bus) -> Operation {
        let created = Timestamp::from(clock::utc());
        let state = State {
            updated: created,
            metadata: request.metadata.clone(),
            reporter: Reporter::default(),
            failure: None,
        };
        Operation(Arc::new_cyclic(|weak: &Weak<Inner>| Inner {
            id,
            created,
            control: reporter(weak.clone()),
            bus,
            cancellable: AtomicBool::new(request.cancellable),
            status: watch::Sender::new(Status::Pending),
            state: Mutex::new(state),
            seats: Mutex::default(),
            request,
        }))
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Its address in the API.
    pub fn url(&self) -> String {
        format!("/1.0/operations/{}", self.0.id)
    }

    /// When it began.
    pub fn created(&self) -> Timestamp {
        self.0.created
    }

    /// What its starter said about it.
    pub fn request(&self) -> &Request {
        &self.0.request
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        *self.0.status.borrow()
    }

    /// Why it failed, once it has.
    pub fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    /// Progress and cancel, to hand to long work.
    pub fn control(&self) -> &Control {
        &self.0.control
    }

    /// What a client sees of it now.
    pub fn render(&self) -> wire::Operation {
        let (request, status) = (&self.0.request, self.status());
        let state = self.state();
        let may_cancel = self.0.cancellable.load(Ordering::Relaxed) && !status.is_final();
        let metadata = state.metadata.clone();
        wire::Operation {
            id: self.0.id.to_string(),
            class: request.class,
            description: request.description.clone(),
            created_at: self.0.created,
            updated_at: state.updated,
            status: status.code().name().to_owned(),
            status_code: status.code(),
            resources: request.resources.clone(),
            metadata: (!metadata.is_empty()).then(|| metadata.into_iter().collect()),
            may_cancel,
            err: state.failure.as_ref().map(ToString::to_string).unwrap_or_default(),
            location: self.0.bus.location().as_ref().to_owned(),
        }
    }

    /// One entry of the metadata.
    pub fn metadata(&self, key: &str) -> Option<Value> {
        self.state().metadata.get(key).cloned()
    }

    /// Sets one entry of the metadata.
    pub fn set_metadata(&self, key: impl Into<String>, value: impl Into<Value>) {
        self.change(|state| {
            state.metadata.insert(key.into(), value.into());
        });
    }

    /// Reports how far the work is, as `control().report` does.
    pub fn progress(&self, progress: &Progress) {
        let told = {
            let state = &mut *self.state();
            state.updated = Timestamp::from(clock::utc());
            state.reporter.note(progress, Instant::now(), &mut state.metadata)
        };
        if told {
            self.publish();
        }
    }

    /// Waits for the end and says how it was.
    pub async fn wait(&self) -> Status {
        let mut status = self.0.status.subscribe();
        match status.wait_for(|status| status.is_final()).await {
            Ok(last) => *last,
            // The sender lives as long as `self`.
            Err(_) => self.status(),
        }
    }

    /// As `wait`, for at most this long; then it says where the operation stands.
    pub async fn wait_timeout(&self, timeout: Duration) -> Status {
        match tokio::time::timeout(timeout, self.wait()).await {
            Ok(status) => status,
            Err(_) => self.status(),
        }
    }

    /// Waits for the end; the failure is the error.
    pub async fn result(&self) -> Result<(), Failure> {
        match (self.wait().await, self.failure()) {
            (Status::Success, _) => Ok(()),
            (_, Some(failure)) => Err(failure),
            (_, None) => Err(Failure::new(exec::Cancelled)),
        }
    }

    /// Sees each change of the status.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }

    /// Asks it to stop. It ends as cancelled once it has cleaned up; or otherwise, if it is too late.
    pub fn cancel(&self) -> Result<(), Error> {
        if self.status().is_final() {
            return Err(Error::NotRunning(self.id()));
        }
        if !self.0.cancellable.load(Ordering::Relaxed) {
            return Err(Error::NotCancellable(self.id()));
        }
        self.0.control.cancel();
        self.advance(Status::Cancelling);
        Ok(())
    }

    /// Cancels a token because somebody uses it; true for exactly one caller.
    pub fn spend(&self) -> bool {
        self.0.control.cancel();
        self.advance(Status::Cancelling)
    }

    /// Resolves once somebody has asked to stop.
    pub async fn cancelled(&self) {
        let mut status = self.0.status.subscribe();
        let asked = |_: &Status| self.0.control.cancelled();
        if status.wait_for(asked).await.is_err() {
            std::future::pending().await
        }
    }

    /// From now on it can or cannot be cancelled.
    pub fn set_cancellable(&self, cancellable: bool) {
        self.0.cancellable.store(cancellable, Ordering::Relaxed);
    }

    /// Makes a place for one websocket, to be claimed with the secret.
    pub fn seat(&self) -> Expected {
        self.seats().seat()
    }

    /// The same for one that the work goes on without. A client that comes late, as the work is quickly over, is no
    /// stranger: its connection is closed.
    pub fn optional_seat(&self) -> Expected {
        self.seats().optional()
    }

    /// Makes a place for any number of websockets, each claimed with the secret.
    pub fn door(&self) -> Door {
        self.seats().door()
    }

    /// Takes the place that belongs to a secret. It works once, but for a door's.
    pub fn claim(&self, secret: &str) -> Result<Seat, Error> {
        self.seats().claim(secret).ok_or(Error::BadSecret(self.id()))
    }

    /// A control that reports here but is never cancelled; for undos.
    pub(crate) fn steadfast_control(&self) -> Control {
        reporter(Arc::downgrade(&self.0))
    }

    pub(crate) fn start(&self) {
        self.advance(Status::Running);
    }

    pub(crate) fn finish(&self, result: Result<(), Failure>) {
        let status = match &result {
            Ok(()) => Status::Success,
            Err(_) if self.0.control.cancelled() => Status::Cancelled,
            Err(_) => Status::Failure,
        };
        {
            let state = &mut *self.state();
            state.failure = result.err();
            state.reporter.clear(&mut state.metadata);
        }
        self.seats().clear();
        self.advance(status);
    }

    /// Goes to a later status; an ended operation stays as it is, and so does one being cancelled
    /// until it ends.
    fn advance(&self, to: Status) -> bool {
        self.state().updated = Timestamp::from(clock::utc());
        let moved = self.0.status.send_if_modified(|status| {
            let stays = status.is_final() || (*status == Status::Cancelling && !to.is_final());
            if !stays {
                *status = to;
            }
            !stays
        });
        if moved {
            self.publish();
        }
        moved
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        {
            let state = &mut *self.state();
            change(state);
            state.updated = Timestamp::from(clock::utc());
        }
        self.publish();
    }

    pub(crate) fn publish(&self) {
        if self.0.bus.is_heard() {
            self.0.bus.operation(&self.0.request.project, &self.render());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seats(&self) -> MutexGuard<'_, Places> {
        self.0.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A control whose reports go to the operation.
fn reporter(operation: Weak<Inner>) -> Control {
    Control::new(move |progress| {
        if let Some(inner) = operation.upgrade() {
            Operation(inner).progress(progress);
        }
    })
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("id", &self.0.id)
            .field("description", &self.0.request.description)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
