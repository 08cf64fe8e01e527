//! Laws of the tasks on buckets.

use tasks::laws;
use wire::{StorageBucketKeysPost, StorageBucketsPost};

use super::scene::{observe, play};
use crate::{
    Caller, World,
    storage::buckets::{self as verbs, Create, Delete, keys},
};

pub(super) const BUCKET: (&str, &str, &str) = ("default", "default", "photos");

pub(super) fn post() -> StorageBucketsPost {
    StorageBucketsPost { name: "photos".into(), ..StorageBucketsPost::default() }
}

fn is_there(world: &World) -> bool {
    verbs::get(world, BUCKET.0, BUCKET.1, BUCKET.2).is_ok()
}

pub(super) async fn clear(world: &World) {
    if is_there(world) {
        verbs::delete(world, &Caller::default(), BUCKET.0, BUCKET.1, BUCKET.2).await.unwrap();
    }
}

#[test]
fn create_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Create, _>(
            async || {
                clear(&world).await;
                world.clone()
            },
            || Create::new(&world, BUCKET.0, BUCKET.1, post()).unwrap(),
            observe,
        )
        .await;
        clear(&world).await;
    });
}

#[test]
fn delete_is_all_or_nothing() {
    play(async |world| {
        let caller = Caller::default();
        laws::check::<Delete, _>(
            async || {
                if !is_there(&world) {
                    verbs::create(&world, &caller, BUCKET.0, BUCKET.1, post()).await.unwrap();
                    let second =
                        StorageBucketKeysPost { name: "second".into(), ..Default::default() };
                    keys::create(&world, &caller, BUCKET, second).await.unwrap();
                }
                world.clone()
            },
            || Delete::new(&world, BUCKET.0, BUCKET.1, BUCKET.2).unwrap(),
            observe,
        )
        .await;
        clear(&world).await;
    });
}
