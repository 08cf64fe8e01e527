//! What is done in all buckets by the clock.

use cloud::{World, storage::buckets::door};

use crate::{
    error::{of_cloud, off_thread},
    verbs::lifecycle,
};

/// Does what the lifecycles of all buckets say.
pub(crate) async fn expire(world: &World) {
    let buckets = match door::all(world) {
        Ok(buckets) => buckets,
        Err(error) => return tracing::warn!(error = tasks::chain(&error), "no bucket expires"),
    };
    for bucket in buckets {
        let done = match world.buckets.of(world, &bucket).await {
            Ok(store) => off_thread(move || lifecycle::apply(&store)).await,
            Err(error) => Err(of_cloud(error)),
        };
        match done {
            Ok(expired) if expired == objects::Expired::default() => {}
            Ok(expired) => tracing::info!(bucket = bucket.name, ?expired, "objects expired"),
            Err(error) => tracing::warn!(bucket = bucket.name, ?error, "it does not expire"),
        }
    }
}
