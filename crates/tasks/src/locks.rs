//! Named locks, so that two tasks on one thing run one after the other or the second is refused.
//!
//! A task claims all its names at once ("instance/default/web" alone, "pool/default" shared), so
//! there is no order to keep and no deadlock. Waiters are served in the order they came, save that
//! one whose names are all free passes those that wait for other names. Nothing is kept on disk: a
//! recovered task claims its names again from its journaled request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// One name somebody wants to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed, as in "instance/default/web".
    pub name: String,
    /// Others may share it with me.
    pub shared: bool,
}

impl Claim {
    /// Mine alone.
    pub fn alone(name: impl Into<String>) -> Claim {
        Claim { name: name.into(), shared: false }
    }

    /// Together with others that only share it.
    pub fn shared(name: impl Into<String>) -> Claim {
        Claim { name: name.into(), shared: true }
    }

    fn clashes(&self, other: &Claim) -> bool {
        self.name == other.name && !(self.shared && other.shared)
    }
}

/// A refusal: the thing is in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is busy: {holder}")]
pub struct Busy {
    /// The claimed name.
    pub name: String,
    /// Who holds it.
    pub holder: String,
}

/// All locks of a daemon. Cheap to clone.
#[derive(Clone, Default)]
pub struct Locks(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: u64,
    held: Vec<Held>,
    waiting: VecDeque<Waiting>,
}

struct Held {
    ticket: u64,
    holder: String,
    claims: Vec<Claim>,
}

struct Waiting {
    held: Held,
    granted: oneshot::Sender<Guard>,
}

/// Holds the claimed names until it is dropped.
#[must_use]
pub struct Guard {
    locks: Locks,
    ticket: u64,
}

impl Locks {
    /// No name is held.
    pub fn new() -> Locks {
        Locks::default()
    }

    /// Takes all names at once, or says which is busy and through whom.
    ///
    /// Those who already wait for a name come first.
    pub fn try_lock(&self, claims: &[Claim], holder: &str) -> Result<Guard, Busy> {
        let mut state = self.state();
        let waiting = state.waiting.iter().map(|waiting| &waiting.held);
        if let Some(busy) = clash(claims, state.held.iter().chain(waiting)) {
            return Err(busy);
        }
        let ticket = state.hold(claims, holder);
        Ok(Guard { locks: self.clone(), ticket })
    }

    /// Takes all names, free or not: a task found in the journal held them before everybody else.
    pub(crate) fn seize(&self, claims: &[Claim], holder: &str) -> Guard {
        let ticket = self.state().hold(claims, holder);
        Guard { locks: self.clone(), ticket }
    }

    /// Adds to what those read who are refused: why a guard is held that should be free.
    pub(crate) fn explain(&self, guard: &Guard, why: &str) {
        let mut state = self.state();
        if let Some(held) = state.held.iter_mut().find(|held| held.ticket == guard.ticket) {
            held.holder = format!("{}, which is tried again: {why}", held.holder);
        }
    }

    /// Waits until all names are free and takes them. Dropping the future gives up the place.
    pub async fn lock(&self, claims: &[Claim], holder: &str) -> Guard {
        let (granted, receiver) = oneshot::channel();
        {
            let mut state = self.state();
            let ticket = state.ticket();
            let held = Held { ticket, holder: holder.to_owned(), claims: claims.to_vec() };
            state.waiting.push_back(Waiting { held, granted });
        }
        self.grant();
        // The sender is dropped only when this receiver is gone.
        match receiver.await {
            Ok(guard) => guard,
            Err(_) => std::future::pending().await,
        }
    }

    /// Who holds a name, if anybody does.
    pub fn holder(&self, name: &str) -> Option<String> {
        let state = self.state();
        let mut held = state.held.iter();
        held.find(|held| held.claims.iter().any(|claim| claim.name == name))
            .map(|held| held.holder.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves everybody in the queue whose names are free now.
    fn grant(&self) {
        let ready = self.state().take_ready();
        for (ticket, granted) in ready {
            // A waiter that gave up drops the guard, which releases the names again.
            drop(granted.send(Guard { locks: self.clone(), ticket }));
        }
    }
}

impl State {
    fn ticket(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn hold(&mut self, claims: &[Claim], holder: &str) -> u64 {
        let ticket = self.ticket();
        self.held.push(Held { ticket, holder: holder.to_owned(), claims: claims.to_vec() });
        ticket
    }

    /// Moves whoever clashes neither with a holder nor with an earlier waiter to the holders.
    fn take_ready(&mut self) -> Vec<(u64, oneshot::Sender<Guard>)> {
        let mut ready = Vec::new();
        let mut still: VecDeque<Waiting> = VecDeque::new();
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.granted.is_closed() {
                continue;
            }
            let earlier = still.iter().map(|waiting| &waiting.held);
            if clash(&waiting.held.claims, self.held.iter().chain(earlier)).is_some() {
                still.push_back(waiting);
            } else {
                ready.push((waiting.held.ticket, waiting.granted));
                self.held.push(waiting.held);
            }
        }
        self.waiting = still;
        ready
    }
}

fn clash<'a>(claims: &[Claim], mut held: impl Iterator<Item = &'a Held>) -> Option<Busy> {
    held.find_map(|held| {
        let claim = claims.iter().find(|a| held.claims.iter().any(|b| a.clashes(b)))?;
        Some(Busy { name: claim.name.clone(), holder: held.holder.clone() })
    })
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.locks.state().held.retain(|held| held.ticket != self.ticket);
        self.locks.grant();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn web() -> [Claim; 2] {
        [Claim::alone("instance/default/web"), Claim::shared("pool/default")]
    }

    #[test]
    fn a_second_claim_is_refused_by_name_and_holder() {
        let locks = Locks::new();
        let guard = locks.try_lock(&web(), "Creating instance").unwrap();
        let busy = locks.try_lock(&web(), "Deleting instance").err().unwrap();
        assert_eq!(busy.to_string(), "instance/default/web is busy: Creating instance");
        drop(guard);
        assert!(locks.try_lock(&web(), "Deleting instance").is_ok());
    }

    #[test]
    fn shared_names_are_shared_and_keep_out_who_wants_them_alone() {
        let locks = Locks::new();
        let shared = [Claim::shared("pool/default")];
        let first = locks.try_lock(&shared, "a").unwrap();
        let second = locks.try_lock(&shared, "b").unwrap();
        assert!(locks.try_lock(&[Claim::alone("pool/default")], "c").is_err());
        drop((first, second));
        assert!(locks.try_lock(&[Claim::alone("pool/default")], "c").is_ok());
    }

    #[tokio::test]
    async fn waiters_come_in_order_and_a_late_sharer_does_not_overtake() {
        let locks = Locks::new();
        let held = locks.try_lock(&[Claim::shared("pool")], "reader").unwrap();
        let writer = [Claim::alone("pool")];
        let mut alone = Box::pin(locks.lock(&writer, "writer"));
        assert!(alone.as_mut().now_or_never().is_none());
        assert!(locks.try_lock(&[Claim::shared("pool")], "late reader").is_err());
        drop(held);
        drop(alone.await);
        assert!(locks.try_lock(&[Claim::shared("pool")], "late reader").is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_is_not_in_the_way() {
        let locks = Locks::new();
        let held = locks.try_lock(&web(), "a").unwrap();
        let claims = web();
        let mut waiting = Box::pin(locks.lock(&claims, "b"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        drop(held);
        assert_eq!(locks.holder("instance/default/web"), None);
        assert!(locks.try_lock(&web(), "c").is_ok());
    }
}
