//! Laws of the tasks on storage pools.

use tasks::laws;
use wire::StoragePoolsPost;

use super::scene::{observe, play};
use crate::{
    Caller,
    storage::{self as verbs, Create, Delete},
};

/// A pool of each driver that this machine can have.
fn posts() -> impl Iterator<Item = StoragePoolsPost> {
    let able = storage::DRIVERS.iter().filter(|driver| match driver.unable() {
        Some(why) => {
            eprintln!("without {}: {why}", driver.info().name);
            false
        }
        None => true,
    });
    able.map(|driver| {
        let driver = driver.info().name.to_owned();
        let size = (driver != "dir").then(|| (String::from("size"), String::from("256MiB")));
        let (name, config) = (String::from("second"), size.into_iter().collect());
        StoragePoolsPost { name, driver, config, ..StoragePoolsPost::default() }
    })
}

#[test]
fn create_is_all_or_nothing() {
    play(async |world| {
        for post in posts() {
            laws::check::<Create, _>(
                async || {
                    if verbs::get(&world, "second").is_ok() {
                        verbs::delete(&world, &Caller::default(), "second").await.unwrap();
                    }
                    world.clone()
                },
                || Create::new(&world, post.clone()).unwrap(),
                observe,
            )
            .await;
            if verbs::get(&world, "second").is_ok() {
                verbs::delete(&world, &Caller::default(), "second").await.unwrap();
            }
        }
    });
}

#[test]
fn delete_is_all_or_nothing() {
    play(async |world| {
        for post in posts() {
            laws::check::<Delete, _>(
                async || {
                    if verbs::get(&world, "second").is_err() {
                        verbs::create(&world, &Caller::default(), post.clone()).await.unwrap();
                    }
                    world.clone()
                },
                || Delete::new(&world, "second").unwrap(),
                observe,
            )
            .await;
            if verbs::get(&world, "second").is_ok() {
                verbs::delete(&world, &Caller::default(), "second").await.unwrap();
            }
        }
    });
}
