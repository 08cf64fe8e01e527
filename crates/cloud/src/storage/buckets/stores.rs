//! The stores of objects that are open: each bucket's at its first use, until nobody has used it for a
//! while. A store is open once in a daemon, whoever uses it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use objects::Store;
use tokio::sync::OnceCell;

use super::door;
use crate::{Result, World, blocking::blocking, db::buckets::Bucket};

/// How long one stays open that nobody uses.
const IDLE: Duration = Duration::from_secs(120);

/// The row of a bucket and when it was made: a row's number may come again.
type Which = (i64, i64);

/// The stores that are open, by their buckets.
#[derive(Default)]
pub struct Stores {
    open: Mutex<HashMap<Which, Entry>>,
}

struct Entry {
    store: Arc<OnceCell<Arc<Store>>>,
    used: Instant,
}

impl Stores {
    /// The store of a bucket. Two who come at once get the same.
    pub async fn of(&self, world: &World, bucket: &Bucket) -> Result<Arc<Store>> {
        let cell = {
            let mut open = self.map();
            let new = || Entry { store: Arc::default(), used: Instant::now() };
            let entry = open.entry(which(bucket)).or_insert_with(new);
            entry.used = Instant::now();
            entry.store.clone()
        };
        let store = cell.get_or_try_init(async || {
            let folder = door::folder(world, bucket).await?;
            blocking("open the bucket", move || Store::open(&folder)).await.map(Arc::new)
        });
        store.await.cloned()
    }

    /// Closes those that nobody uses, and those of buckets that are gone.
    pub fn tidy(&self, world: &World) {
        let gone = |id: i64| matches!(door::is_there(world, id), Ok(false));
        self.map().retain(|(id, _), entry| {
            // Whoever has the cell is about to use it; whoever has the store uses it.
            let used = Arc::strong_count(&entry.store) > 1
                || entry.store.get().is_some_and(|store| Arc::strong_count(store) > 1);
            used || (entry.used.elapsed() < IDLE && !gone(*id))
        });
    }

    /// Closes that of a bucket, once those who use it are done.
    pub(crate) fn close(&self, bucket: &Bucket) {
        self.map().remove(&which(bucket));
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Which, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn which(bucket: &Bucket) -> Which {
    (bucket.id, bucket.created_at.timestamp_micros())
}
