//! Laws of the tasks on snapshots, and what the clock does to them.

use std::{fs, sync::Arc};

use chrono::{Local, TimeDelta};
use tasks::{Reconciler, laws};
use wire::{InstanceSnapshotsPost, Timestamp};

use super::{
    instances::{post, with_instance},
    scene::{clear, observe, play},
};
use crate::{
    Caller, World,
    db::instance_snapshots as rows,
    instances::snapshots::{self, Delete, Rename, Restore, Take},
    reconcile::Snapshots,
    snapshots::By,
};

fn named(name: &str) -> InstanceSnapshotsPost {
    InstanceSnapshotsPost { name: name.into(), ..InstanceSnapshotsPost::default() }
}

/// Writes into the root of "web" from outside.
pub(super) fn write_note(world: &World, text: &str) {
    let root = world.dirs.root().join("storage-pools/default/containers/web/upper");
    fs::write(root.join("note"), text).unwrap();
}

async fn set(world: &World, key: &str, value: &str) {
    let change = |mut put: wire::InstancePut| {
        put.config.insert(key.into(), value.into());
        Ok(put)
    };
    let caller = Caller::default();
    crate::instances::update::update(world, &caller, "default", "web", None, change).await.unwrap();
}

async fn snapshot(world: &World, name: &str) {
    let caller = Caller::default();
    let taken = snapshots::take(world, &caller, "default", "web", &named(name)).await.unwrap();
    taken.result().await.unwrap();
}

/// A stopped instance with a snapshot, and changes after it.
pub(super) async fn with_snapshot(world: &Arc<World>) {
    with_instance(world).await;
    write_note(world, "then");
    set(world, "user.note", "then").await;
    snapshot(world, "a").await;
    write_note(world, "now");
    set(world, "user.note", "now").await;
}

#[test]
fn take_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Take, _>(
            async || {
                with_instance(&world).await;
                write_note(&world, "kept");
                world.clone()
            },
            || {
                Take::new(&world, &Caller::default(), "default", "web", &named("a"), By::Hand)
                    .unwrap()
            },
            observe,
        )
        .await;
    });
}

#[test]
fn take_of_one_that_runs_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Take, _>(
            async || {
                clear(&world).await;
                let (caller, post) = (Caller::default(), post(&world, true));
                let launched =
                    crate::instances::launch::launch(&world, &caller, "default", post).await;
                launched.unwrap().result().await.unwrap();
                world.clone()
            },
            || {
                Take::new(&world, &Caller::default(), "default", "web", &named("a"), By::Hand)
                    .unwrap()
            },
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
                with_snapshot(&world).await;
                world.clone()
            },
            || Delete::new(&world, &Caller::default(), "default", "web", "a").unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn rename_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Rename, _>(
            async || {
                with_snapshot(&world).await;
                world.clone()
            },
            || Rename::new(&world, &Caller::default(), "default", "web", "a", "b").unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn restore_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Restore, _>(
            async || {
                with_snapshot(&world).await;
                world.clone()
            },
            || Restore::new(&world, &Caller::default(), "default", "web", "a", false).unwrap(),
            observe,
        )
        .await;
    });
}

fn names(world: &World) -> Vec<String> {
    let seen = world.store.read(|db| {
        let rows = rows::all(db)?.into_iter();
        Ok::<_, crate::Error>(rows.map(|row| row.name).collect())
    });
    seen.unwrap()
}

#[test]
fn the_clock_takes_and_deletes() {
    play(async |world| {
        with_instance(&world).await;
        set(&world, "snapshots.schedule", "* * * * *").await;
        set(&world, "snapshots.expiry", "1H").await;
        let minutes = |count| Local::now().naive_local() - TimeDelta::minutes(count);
        Snapshots::since(minutes(2)).activate(&world).await;
        assert!(names(&world).is_empty(), "it is stopped");
        set(&world, "snapshots.schedule.stopped", "true").await;
        let mut clock = Snapshots::since(minutes(2));
        let report = clock.activate(&world).await;
        assert_eq!((report.changed, report.errors.len()), (1, 0));
        assert_eq!(names(&world), ["snap0"]);
        let kept = snapshots::get(&world, "default", "web", "snap0").unwrap();
        assert!(kept.expires_at > Timestamp::from(clock::utc()));
        let over = Some(chrono::Utc::now() - TimeDelta::seconds(1));
        let written = world.store.write(|db| {
            let row = rows::all(db)?.remove(0);
            Ok::<_, crate::Error>(rows::set_expiry(db, row.id, over)?)
        });
        written.await.unwrap();
        set(&world, "snapshots.schedule", "@never").await;
        clock.activate(&world).await;
        assert!(names(&world).is_empty());
    });
}

#[test]
fn a_schedule_keeps_what_its_rules_say_and_what_hands_made() {
    play(async |world| {
        with_instance(&world).await;
        set(&world, "snapshots.schedule", "* * * * *").await;
        set(&world, "snapshots.schedule.stopped", "true").await;
        set(&world, "snapshots.retention", "last=2").await;
        set(&world, "snapshots.expiry", "1H").await;
        snapshot(&world, "mine").await;
        let tick = async || {
            let past = Local::now().naive_local() - TimeDelta::minutes(2);
            let report = Snapshots::since(past).activate(&world).await;
            assert!(report.errors.is_empty(), "{:?}", report.errors);
        };
        for _ in 0..3 {
            tick().await;
        }
        assert_eq!(names(&world), ["mine", "snap1", "snap2"]);
        let get = |name| snapshots::get(&world, "default", "web", name).unwrap();
        assert!(get("mine").expires_at > Timestamp::from(clock::utc()));
        assert!(get("snap1").expires_at.is_never(), "rules say when it goes");
        let caller = Caller::default();
        let renamed = snapshots::rename(&world, &caller, "default", "web", "snap1", "kept");
        renamed.await.unwrap().result().await.unwrap();
        for _ in 0..3 {
            tick().await;
        }
        assert_eq!(names(&world), ["mine", "kept", "snap4", "snap5"]);
    });
}
