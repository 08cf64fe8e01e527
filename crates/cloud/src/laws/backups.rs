//! Laws of the tasks on backups of instances, and what the clock does to them.

use std::{fs, sync::Arc};

use tasks::{Reconciler, laws};
use wire::Timestamp;

use super::{
    instances::post,
    scene::{clear, observe, play},
    snapshots::with_snapshot,
};
use crate::{
    Caller, World,
    backups::{self, Delete, Make, Rename, Upload, Wanted},
    db::backups::OF_INSTANCES as ROWS,
    instances::backups::{Import, Of},
    reconcile::Backups,
};

pub(super) fn named(name: &str) -> Wanted {
    Wanted { name: name.into(), compression: "none".into(), ..Wanted::default() }
}

fn web() -> Of {
    Of::new("default", "web")
}

async fn with_backup(world: &Arc<World>) {
    with_snapshot(world).await;
    let made = backups::make(world, &Caller::default(), &web(), &named("a")).await;
    made.unwrap().result().await.unwrap();
}

#[test]
fn make_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Make<Of>, _>(
            async || {
                with_snapshot(&world).await;
                world.clone()
            },
            || Make::new(&world, &Caller::default(), &web(), &named("a")).unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn make_of_one_that_runs_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Make<Of>, _>(
            async || {
                clear(&world).await;
                let (caller, post) = (Caller::default(), post(&world, true));
                let launched =
                    crate::instances::launch::launch(&world, &caller, "default", post).await;
                launched.unwrap().result().await.unwrap();
                world.clone()
            },
            || Make::new(&world, &Caller::default(), &web(), &named("a")).unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn delete_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Delete<Of>, _>(
            async || {
                with_backup(&world).await;
                world.clone()
            },
            || Delete::new(&world, &Caller::default(), &web(), "a").unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn rename_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Rename<Of>, _>(
            async || {
                with_backup(&world).await;
                world.clone()
            },
            || Rename::new(&world, &Caller::default(), &web(), "a", "b").unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn import_is_all_or_nothing() {
    play(async |world| {
        with_backup(&world).await;
        let kept = world.dirs.root().join("kept");
        fs::copy(world.dirs.root().join("backups/instances/default_web/a"), &kept).unwrap();
        let upload = Upload { file: world.dirs.cache().join("upload"), ..Upload::default() };
        let task = async || {
            fs::copy(&kept, &upload.file).unwrap();
            Import::new(&world, &Caller::default(), "default", &upload).await.unwrap()
        };
        clear(&world).await;
        let input = serde_json::to_value(&task().await).unwrap();
        laws::check::<Import, _>(
            async || {
                clear(&world).await;
                fs::copy(&kept, &upload.file).unwrap();
                world.clone()
            },
            || serde_json::from_value(input.clone()).unwrap(),
            async |world| {
                // The upload itself is the client's until the import has ended.
                let mut seen = observe(world).await;
                seen.retain(|one| !one.ends_with("/cache/upload"));
                seen
            },
        )
        .await;
    });
}

#[test]
fn the_clock_deletes_what_is_over() {
    play(async |world| {
        with_backup(&world).await;
        let end = Timestamp::from(chrono::Utc::now() + chrono::TimeDelta::milliseconds(300));
        let post = Wanted { expires_at: Some(end), ..named("b") };
        let made = backups::make(&world, &Caller::default(), &web(), &post).await;
        made.unwrap().result().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        let report = Backups.activate(&world).await;
        assert_eq!((report.changed, report.errors.len()), (1, 0));
        let left = world.store.read(|db| Ok::<_, crate::Error>(ROWS.all(db)?)).unwrap();
        assert_eq!(left.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a"]);
        let folder = world.dirs.root().join("backups/instances/default_web");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    });
}
