//! Laws of the tasks that copy instances.

use tasks::laws;
use wire::{InstancePost, InstanceRebuildPost, InstanceSource, InstancesPost, StoragePoolsPost};

use super::{
    instances::with_instance,
    scene::{busybox, observe, play},
    snapshots::{with_snapshot, write_note},
};
use crate::{
    Caller, World,
    instances::{copy::Copy, rebuild::Rebuild, relocate::Relocate},
};

fn copied(name: &str, source: &str) -> InstancesPost {
    let source = InstanceSource {
        r#type: "copy".into(),
        source: source.into(),
        ..InstanceSource::default()
    };
    InstancesPost { name: name.into(), source, ..InstancesPost::default() }
}

#[test]
fn copy_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Copy, _>(
            async || {
                with_snapshot(&world).await;
                world.clone()
            },
            || Copy::new(&world, &Caller::default(), "default", &copied("db", "web")).unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn a_copy_that_starts_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Copy, _>(
            async || {
                with_instance(&world).await;
                world.clone()
            },
            || {
                let post = InstancesPost { start: true, ..copied("db", "web") };
                Copy::new(&world, &Caller::default(), "default", &post).unwrap()
            },
            observe,
        )
        .await;
    });
}

async fn second_pool(world: &World) {
    let pool =
        StoragePoolsPost { name: "second".into(), driver: "dir".into(), ..Default::default() };
    crate::storage::create(world, &Caller::default(), pool).await.unwrap();
}

fn moved(name: &str, pool: &str) -> InstancePost {
    InstancePost { name: name.into(), pool: pool.into(), ..InstancePost::default() }
}

#[test]
fn a_move_into_another_pool_is_all_or_nothing() {
    play(async |world| {
        second_pool(&world).await;
        laws::check::<Relocate, _>(
            async || {
                // Snapshots are the law of copies: each costs a sync of the whole file system.
                with_instance(&world).await;
                world.clone()
            },
            || {
                let (caller, post) = (Caller::default(), moved("db", "second"));
                Relocate::new(&world, &caller, "default", "web", &post).unwrap()
            },
            observe,
        )
        .await;
    });
}

#[test]
fn a_move_within_a_pool_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Relocate, _>(
            async || {
                with_snapshot(&world).await;
                world.clone()
            },
            || {
                let (caller, post) = (Caller::default(), moved("db", "default"));
                Relocate::new(&world, &caller, "default", "web", &post).unwrap()
            },
            observe,
        )
        .await;
    });
}

#[test]
fn a_rebuild_leaves_the_old_root_or_the_new() {
    play(async |world| {
        laws::check::<Rebuild, _>(
            async || {
                with_instance(&world).await;
                write_note(&world, "old");
                world.clone()
            },
            || {
                let (caller, fingerprint) = (Caller::default(), busybox(&world));
                let source =
                    InstanceSource { r#type: "image".into(), fingerprint, ..Default::default() };
                let post = InstanceRebuildPost { source };
                Rebuild::new(&world, &caller, "default", "web", &post).unwrap()
            },
            observe,
        )
        .await;
    });
}
