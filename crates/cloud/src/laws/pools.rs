//! Laws of the tasks on storage pools.

use tasks::laws;
use wire::StoragePoolsPost;

use super::scene::{observe, play};
use crate::{
    Caller,
    storage::{self as verbs, Create, Delete},
};

fn post() -> StoragePoolsPost {
    StoragePoolsPost { name: "second".into(), driver: "dir".into(), ..StoragePoolsPost::default() }
}

#[test]
fn create_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Create, _>(
            async || {
                if verbs::get(&world, "second").is_ok() {
                    verbs::delete(&world, &Caller::default(), "second").await.unwrap();
                }
                world.clone()
            },
            || Create::new(&world, post()).unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn delete_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Delete, _>(
            async || {
                if verbs::get(&world, "second").is_err() {
                    verbs::create(&world, &Caller::default(), post()).await.unwrap();
                }
                world.clone()
            },
            || Delete::new(&world, "second").unwrap(),
            observe,
        )
        .await;
    });
}
