//! Laws of the tasks on custom volumes.

use std::sync::Arc;

use tasks::laws;
use wire::StorageVolumesPost;

use super::scene::{observe, play};
use crate::{
    Caller, World,
    db::volumes as rows,
    volumes::{self, Create, Delete, Key, Rename, Update},
};

fn post(content: &str) -> StorageVolumesPost {
    StorageVolumesPost {
        name: "data".into(),
        content_type: content.into(),
        config: [(String::from("size"), String::from("16MiB"))].into(),
        ..StorageVolumesPost::default()
    }
}

/// Deletes every custom volume.
pub(super) async fn without(world: &Arc<World>) {
    let all = world.store.read(|db| Ok::<_, crate::Error>(rows::custom(db)?)).unwrap();
    for row in all {
        let (pool, project) = (&row.pool, &row.project);
        let caller = Caller::default();
        volumes::delete(world, &caller, pool, project, "custom", &row.name).await.unwrap();
    }
}

/// A volume "data", and no other.
pub(super) async fn with_volume(world: &Arc<World>, content: &str) {
    without(world).await;
    let (caller, new) = (Caller::default(), post(content));
    volumes::create(world, &caller, "default", "default", "custom", new).await.unwrap();
}

#[test]
fn create_is_all_or_nothing() {
    play(async |world| {
        for content in ["filesystem", "block"] {
            laws::check::<Create, _>(
                async || {
                    without(&world).await;
                    world.clone()
                },
                || Create::new(&world, "default", "default", post(content)).unwrap(),
                observe,
            )
            .await;
        }
        without(&world).await;
    });
}

#[test]
fn delete_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Delete, _>(
            async || {
                with_volume(&world, "filesystem").await;
                world.clone()
            },
            || Delete::new(&world, "default", "default", "data").unwrap(),
            observe,
        )
        .await;
        without(&world).await;
    });
}

#[test]
fn rename_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Rename, _>(
            async || {
                with_volume(&world, "filesystem").await;
                world.clone()
            },
            || Rename::new(&world, "default", "default", "data", "more").unwrap(),
            observe,
        )
        .await;
        without(&world).await;
    });
}

#[test]
fn update_is_all_or_nothing() {
    play(async |world| {
        for content in ["filesystem", "block"] {
            laws::check::<Update, _>(
                async || {
                    with_volume(&world, content).await;
                    world.clone()
                },
                || {
                    let change = |mut put: wire::StorageVolumePut| {
                        put.config.insert("size".into(), "32MiB".into());
                        Ok(put)
                    };
                    let task = world.store.read(|db| {
                        let key = Key::of(db, "default", "default", "data")?;
                        Update::new(db, &key, &None, &change)
                    });
                    task.unwrap()
                },
                observe,
            )
            .await;
        }
        without(&world).await;
    });
}
