//! The stores that are open: each bucket's at its first use, until nobody has used it for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cloud::{World, db::buckets::Bucket, storage::buckets::door};
use objects::Store;
use s3s::S3Result;
use tokio::sync::OnceCell;

use crate::{
    error::{of_cloud, off_thread},
    verbs::lifecycle,
};

/// How long one stays open that nobody uses.
const IDLE: Duration = Duration::from_secs(120);

/// The stores that are open, by their buckets' rows.
pub(crate) struct Stores {
    pub(crate) world: Arc<World>,
    open: Mutex<HashMap<i64, Entry>>,
}

struct Entry {
    store: Arc<OnceCell<Arc<Store>>>,
    used: Instant,
}

impl Stores {
    pub(crate) fn new(world: Arc<World>) -> Arc<Stores> {
        Arc::new(Stores { world, open: Mutex::default() })
    }

    /// The store of a bucket. Two who come at once get the same.
    pub(crate) async fn of(&self, bucket: &Bucket) -> S3Result<Arc<Store>> {
        let cell = {
            let mut open = self.map();
            let new = || Entry { store: Arc::default(), used: Instant::now() };
            let entry = open.entry(bucket.id).or_insert_with(new);
            entry.used = Instant::now();
            entry.store.clone()
        };
        let store = cell.get_or_try_init(async || {
            let folder = door::folder(&self.world, bucket).await.map_err(of_cloud)?;
            off_thread(move || Store::open(&folder)).await.map(Arc::new)
        });
        store.await.cloned()
    }

    /// Does what the lifecycles of all buckets say.
    pub(crate) async fn expire(&self) {
        let buckets = match door::all(&self.world) {
            Ok(buckets) => buckets,
            Err(error) => return tracing::warn!(error = tasks::chain(&error), "no bucket expires"),
        };
        for bucket in buckets {
            let done = match self.of(&bucket).await {
                Ok(store) => off_thread(move || lifecycle::apply(&store)).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(expired) if expired == objects::Expired::default() => {}
                Ok(expired) => tracing::info!(bucket = bucket.name, ?expired, "objects expired"),
                Err(error) => tracing::warn!(bucket = bucket.name, ?error, "it does not expire"),
            }
        }
    }

    /// Closes those that nobody uses, and those of buckets that are gone.
    pub(crate) fn tidy(&self) {
        let gone = |id: i64| matches!(door::is_there(&self.world, id), Ok(false));
        self.map().retain(|id, entry| {
            // Whoever has the cell is about to use it; whoever has the store uses it.
            let used = Arc::strong_count(&entry.store) > 1
                || entry.store.get().is_some_and(|store| Arc::strong_count(store) > 1);
            used || (entry.used.elapsed() < IDLE && !gone(*id))
        });
    }

    fn map(&self) -> MutexGuard<'_, HashMap<i64, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
