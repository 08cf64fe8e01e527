//! Laws of the tasks that use streams of a driver: between pools of one, and into backups and out of them.

use std::{fs, sync::Arc};

use tasks::laws;
use wire::{
    ConfigMap, InstancePost, InstanceSnapshotsPost, InstanceSource, InstancesPost, StoragePoolsPost,
};

use super::{
    backups::named,
    scene::{clear, observe, play},
    snapshots::with_snapshot,
};
use crate::{
    Caller, World,
    backups::{self, Make, Upload, Wanted},
    instances::{
        backups::{Import, Of},
        copy::{self, Refresh},
        relocate::{self, Relocate},
    },
};

/// Two pools of a driver that has streams; none where this machine has no such driver.
async fn pools(world: &World) -> bool {
    let able = |name: &&str| storage::driver(name).is_some_and(|it| it.unable().is_none());
    let Some(driver) = ["btrfs", "zfs"].into_iter().find(able) else {
        eprintln!("SKIP: neither btrfs nor ZFS can be used here");
        return false;
    };
    for name in ["one", "two"] {
        let config = ConfigMap::from([("size".into(), "2GiB".into())]);
        let (name, driver) = (name.into(), driver.into());
        let post = StoragePoolsPost { name, driver, config, ..StoragePoolsPost::default() };
        crate::storage::create(world, &Caller::default(), post).await.unwrap();
    }
    true
}

/// Removes them: mounts and loop devices would outlive the folder they are in.
async fn without_pools(world: &Arc<World>) {
    clear(world).await;
    for name in ["one", "two"] {
        crate::storage::delete(world, &Caller::default(), name).await.unwrap();
    }
}

fn into(name: &str, pool: &str) -> InstancePost {
    InstancePost { name: name.into(), pool: pool.into(), ..InstancePost::default() }
}

/// The instance "web" with a snapshot, in the first of the pools.
async fn with_web(world: &Arc<World>) {
    with_snapshot(world).await;
    let (caller, post) = (Caller::default(), into("web", "one"));
    let moved = relocate::relocate(world, &caller, "default", "web", &post).await.unwrap();
    moved.result().await.unwrap();
}

fn copied(refresh: bool) -> InstancesPost {
    let (r#type, source) = (String::from("copy"), String::from("web"));
    let source = InstanceSource { r#type, source, refresh, ..InstanceSource::default() };
    let device = [("type", "disk"), ("path", "/"), ("pool", "two")];
    let device = device.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let devices = [(String::from("root"), ConfigMap::from(device))];
    InstancesPost {
        name: "db".into(),
        source,
        devices: devices.into_iter().collect(),
        ..InstancesPost::default()
    }
}

#[test]
fn a_move_into_another_pool_of_the_driver_is_all_or_nothing() {
    play(async |world| {
        if !pools(&world).await {
            return;
        }
        laws::check::<Relocate, _>(
            async || {
                with_web(&world).await;
                world.clone()
            },
            || {
                let (caller, post) = (Caller::default(), into("db", "two"));
                Relocate::new(&world, &caller, "default", "web", &post).unwrap()
            },
            observe,
        )
        .await;
        without_pools(&world).await;
    });
}

async fn with_old_copy(world: &Arc<World>) {
    with_web(world).await;
    let caller = Caller::default();
    let made = copy::copy(world, &caller, "default", copied(false)).await.unwrap();
    made.result().await.unwrap();
    let root = world.dirs.root().join("storage-pools/one/containers/web/rootfs");
    fs::write(root.join("note"), "moved on").unwrap();
    let snapshot = InstanceSnapshotsPost { name: "new".into(), ..Default::default() };
    let taken = crate::instances::snapshots::take(world, &caller, "default", "web", &snapshot);
    taken.await.unwrap().result().await.unwrap();
    fs::write(root.join("note"), "and further").unwrap();
}

#[test]
fn a_refresh_from_another_pool_of_the_driver_leaves_the_old_contents_or_the_new() {
    play(async |world| {
        if !pools(&world).await {
            return;
        }
        laws::check_repeatable::<Refresh, _>(
            async || {
                with_old_copy(&world).await;
                world.clone()
            },
            || Refresh::new(&world, &Caller::default(), "default", &copied(true)).unwrap(),
            observe,
            |seen| {
                let note = |text: &str| {
                    let whole = format!("containers/db note={text}");
                    seen.iter().any(|one| one.starts_with("files ") && one.ends_with(&whole))
                };
                match note("now") || note("and further") {
                    true => Ok(()),
                    false => Err(format!("neither then nor now: {seen:?}")),
                }
            },
        )
        .await;
        without_pools(&world).await;
    });
}

fn optimized() -> Wanted {
    Wanted { optimized: true, ..named("a") }
}

#[test]
fn a_backup_of_streams_is_all_or_nothing_and_so_is_what_comes_of_it() {
    play(async |world| {
        if !pools(&world).await {
            return;
        }
        let web = Of::new("default", "web");
        laws::check::<Make<Of>, _>(
            async || {
                with_web(&world).await;
                world.clone()
            },
            || Make::new(&world, &Caller::default(), &web, &optimized()).unwrap(),
            observe,
        )
        .await;
        with_web(&world).await;
        let made = backups::make(&world, &Caller::default(), &web, &optimized()).await;
        made.unwrap().result().await.unwrap();
        let kept = world.dirs.root().join("kept");
        fs::copy(world.dirs.root().join("backups/instances/default_web/a"), &kept).unwrap();
        let upload = Upload { file: world.dirs.cache().join("upload"), ..Upload::default() };
        clear(&world).await;
        fs::copy(&kept, &upload.file).unwrap();
        let task = Import::new(&world, &Caller::default(), "default", &upload).await.unwrap();
        let input = serde_json::to_value(&task).unwrap();
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
        without_pools(&world).await;
    });
}
