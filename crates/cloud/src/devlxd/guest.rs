//! What the daemon holds of a guest for its API: whether it listens, what is told, how fast it may ask.

use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

/// Events that wait for a slow reader; older ones are lost to it.
const NEWS: usize = 64;

/// How long one request waits for its turn at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing that changed, as the guest is told it.
#[derive(Clone, Debug)]
pub struct News {
    /// `config` or `device`.
    pub kind: &'static str,
    /// The event, as JSON.
    pub text: String,
}

/// A guest's side of its API.
#[derive(Default)]
pub struct GuestSide {
    ready: AtomicBool,
    allowed: AtomicBool,
    listening: Mutex<Option<watch::Sender<()>>>,
    news: OnceLock<broadcast::Sender<News>>,
    /// When its next request is due.
    due: Mutex<Option<Instant>>,
}

impl GuestSide {
    /// Whether it said that it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Whether its options let it ask.
    pub(crate) fn is_allowed(&self) -> bool {
        self.allowed.load(Ordering::SeqCst)
    }

    pub(crate) fn allow(&self, allowed: bool) {
        self.allowed.store(allowed, Ordering::SeqCst);
    }

    /// Begins to listen: what is given ends when [`GuestSide::hush`] is called, or this anew.
    pub(super) fn opened(&self) -> watch::Receiver<()> {
        let (stop, open) = watch::channel(());
        *lock(&self.listening) = Some(stop);
        open
    }

    pub(crate) fn listens(&self) -> bool {
        lock(&self.listening).is_some()
    }

    /// Listens no more, and ends every connection.
    pub(crate) fn hush(&self) {
        *lock(&self.listening) = None;
    }

    /// What changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.news.get_or_init(|| broadcast::Sender::new(NEWS)).subscribe()
    }

    /// Tells those who listen, if there are any.
    pub(super) fn tell(&self, news: impl IntoIterator<Item = News>) {
        let Some(sender) = self.news.get().filter(|sender| sender.receiver_count() > 0) else {
            return;
        };
        for one in news {
            // Nobody listens any more.
            let _ = sender.send(one);
        }
    }

    /// Waits until the guest may ask again, when each request stands for `cost`; `false` if that were too long.
    pub async fn turn(&self, cost: Duration) -> bool {
        let Some(mine) = take_turn(&mut lock(&self.due), Instant::now(), cost) else {
            return false;
        };
        tokio::time::sleep_until(mine).await;
        true
    }
}

/// When this request is due; the next one is `cost` later.
fn take_turn(due: &mut Option<Instant>, now: Instant, cost: Duration) -> Option<Instant> {
    let mine = due.map_or(now, |due| due.max(now));
    if mine - now > PATIENCE {
        return None;
    }
    *due = Some(mine + cost);
    Some(mine)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_asks_without_end_waits_and_is_then_refused() {
        let (mut due, begin, second) = (None, Instant::now(), Duration::from_secs(1));
        for number in 0..=5 {
            assert_eq!(take_turn(&mut due, begin, second), Some(begin + second * number));
        }
        assert_eq!(take_turn(&mut due, begin, second), None);
        let later = begin + second * 20;
        assert_eq!(take_turn(&mut due, later, second), Some(later), "a rest makes it whole");
    }
}
