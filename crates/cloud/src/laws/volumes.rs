//! Laws of the tasks on custom volumes.

use std::sync::Arc;

use chrono::{Local, TimeDelta};
use tasks::{Reconciler, laws};
use wire::{
    StoragePoolsPost, StorageVolumePost, StorageVolumeSnapshotsPost, StorageVolumeSource,
    StorageVolumesPost,
};

use super::scene::{observe, play};
use crate::{
    Caller, World,
    db::volumes as rows,
    reconcile::Snapshots,
    snapshots::By,
    volumes::{self, Copy, Create, Delete, Key, Relocate, Rename, Update, snapshots},
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

pub(super) fn key() -> Key {
    Key { pool: "default".into(), project: "default".into(), name: "data".into() }
}

fn named(name: &str) -> StorageVolumeSnapshotsPost {
    StorageVolumeSnapshotsPost { name: name.into(), ..StorageVolumeSnapshotsPost::default() }
}

/// Writes into the volume from outside.
pub(super) fn write_note(world: &World, text: &str) {
    let folder = world.dirs.root().join("storage-pools/default/custom/default_data/data");
    std::fs::write(folder.join("note"), text).unwrap();
}

/// A volume with a snapshot, and changes after it.
pub(super) async fn with_snapshot(world: &Arc<World>) {
    with_volume(world, "filesystem").await;
    write_note(world, "then");
    let taken = snapshots::take(world, &Caller::default(), &key(), &named("a")).await.unwrap();
    taken.result().await.unwrap();
    write_note(world, "now");
}

#[test]
fn snapshots_are_all_or_nothing() {
    play(async |world| {
        let caller = Caller::default();
        laws::check::<snapshots::Take, _>(
            async || {
                with_volume(&world, "filesystem").await;
                write_note(&world, "then");
                world.clone()
            },
            || snapshots::Take::new(&world, &caller, &key(), &named("a"), By::Hand).unwrap(),
            observe,
        )
        .await;
        let prepare = async || {
            with_snapshot(&world).await;
            world.clone()
        };
        let delete = || snapshots::Delete::new(&world, &caller, &key(), "a").unwrap();
        laws::check::<snapshots::Delete, _>(prepare, delete, observe).await;
        let rename = || snapshots::Rename::new(&world, &caller, &key(), "a", "b").unwrap();
        laws::check::<snapshots::Rename, _>(prepare, rename, observe).await;
        without(&world).await;
    });
}

#[test]
fn a_restore_is_all_or_nothing() {
    play(async |world| {
        let prepare = async || {
            with_snapshot(&world).await;
            world.clone()
        };
        let restore = || snapshots::Restore::new(&world, &key(), "a").unwrap();
        laws::check::<snapshots::Restore, _>(prepare, restore, observe).await;
        without(&world).await;
    });
}

#[test]
fn the_clock_takes_and_deletes_snapshots_of_volumes() {
    play(async |world| {
        with_volume(&world, "filesystem").await;
        let set = async |option: &str, value: &str| {
            let change = |mut put: wire::StorageVolumePut| {
                put.config.insert(option.into(), value.into());
                Ok(put)
            };
            let (caller, place) = (Caller::default(), ("default", "default", "custom", "data"));
            volumes::update(&world, &caller, place, None, change).await.unwrap();
        };
        set("snapshots.schedule", "* * * * *").await;
        set("snapshots.expiry", "1H").await;
        set("snapshots.pattern", "auto%d").await;
        let before = Local::now().naive_local() - TimeDelta::minutes(2);
        let mut clock = Snapshots::since(before);
        let report = clock.activate(&world).await;
        assert_eq!((report.changed, report.errors.len()), (1, 0));
        let seen = snapshots::list(&world, &key()).unwrap();
        assert_eq!((seen.len(), seen[0].name.as_str()), (1, "auto0"));
        assert!(seen[0].expires_at > wire::Timestamp::from(clock::utc()));
        let over = Some(chrono::Utc::now() - TimeDelta::seconds(1));
        let written = world.store.write(|db| {
            let row = crate::db::volume_snapshots::all(db)?.remove(0);
            Ok::<_, crate::Error>(crate::db::volume_snapshots::update(db, row.id, "", over)?)
        });
        written.await.unwrap();
        set("snapshots.schedule", "@never").await;
        clock.activate(&world).await;
        assert!(snapshots::list(&world, &key()).unwrap().is_empty());
        without(&world).await;
    });
}

/// A second pool of driver `dir`.
async fn with_pool(world: &Arc<World>) {
    let pool =
        StoragePoolsPost { name: "second".into(), driver: "dir".into(), ..Default::default() };
    crate::storage::create(world, &Caller::default(), pool).await.unwrap();
}

#[test]
fn a_copy_is_all_or_nothing() {
    play(async |world| {
        with_pool(&world).await;
        for pool in ["default", "second"] {
            laws::check::<Copy, _>(
                async || {
                    with_snapshot(&world).await;
                    world.clone()
                },
                || {
                    let (r#type, name) = (String::from("copy"), String::from("data"));
                    let from = String::from("default");
                    let source =
                        StorageVolumeSource { r#type, name, pool: from, ..Default::default() };
                    let post =
                        StorageVolumesPost { name: "copy".into(), source, ..Default::default() };
                    Copy::new(&world, &Caller::default(), pool, "default", post).unwrap()
                },
                observe,
            )
            .await;
        }
        without(&world).await;
        crate::storage::delete(&world, &Caller::default(), "second").await.unwrap();
    });
}

#[test]
fn a_move_is_all_or_nothing() {
    play(async |world| {
        with_pool(&world).await;
        laws::check::<Relocate, _>(
            async || {
                with_snapshot(&world).await;
                world.clone()
            },
            || {
                let (name, pool) = (String::from("moved"), String::from("second"));
                let post = StorageVolumePost { name, pool, ..StorageVolumePost::default() };
                let from = ("default", "default", "data");
                Relocate::new(&world, &Caller::default(), from, &post).unwrap()
            },
            observe,
        )
        .await;
        without(&world).await;
        crate::storage::delete(&world, &Caller::default(), "second").await.unwrap();
    });
}
