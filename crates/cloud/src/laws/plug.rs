//! Laws of the task that gives devices to instances that run.

use std::{path::Path, sync::Arc};

use options::device::Devices;
use tasks::laws;
use wire::ConfigMap;

use super::{
    instances::post,
    scene::{BRIDGE, clear, observe, play},
};
use crate::{
    Caller, World,
    db::{instances::Instance, profiles as profile_rows},
    instances::{self, reconfigure::Reconfigure},
};

type Pairs<'a> = [(&'a str, &'a str)];

fn devices(list: &[(&str, &Pairs<'_>)]) -> Devices {
    list.iter().map(|(name, pairs)| ((*name).to_owned(), pairs.iter().copied().collect())).collect()
}

/// An instance "web" that runs and has a disk.
async fn running(world: &Arc<World>, source: &str) {
    clear(world).await;
    let (caller, post) = (Caller::default(), post(world, true));
    let launched = instances::launch::launch(world, &caller, "default", post).await;
    launched.unwrap().result().await.unwrap();
    let disk = [("type", "disk"), ("source", source), ("path", "/law1")];
    let change = |mut put: wire::InstancePut| {
        let disk: ConfigMap = disk.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        put.devices.insert("first".into(), disk);
        Ok(put)
    };
    instances::update::update(world, &caller, "default", "web", None, change).await.unwrap();
}

fn source(world: &World) -> String {
    let path = world.dirs.root().join("law");
    std::fs::create_dir_all(&path).unwrap();
    path.display().to_string()
}

#[test]
fn devices_of_an_instance_are_all_or_nothing() {
    play(async |world| {
        let source = source(&world);
        laws::check::<Reconfigure, _>(
            async || {
                running(&world, &source).await;
                world.clone()
            },
            || {
                let disk = [("type", "disk"), ("source", &*source), ("path", "/law2")];
                let card = [("type", "nic"), ("network", BRIDGE)];
                let after = devices(&[("second", &disk), ("eth1", &card)]);
                let made = world.store.read(|db| {
                    let old = instances::find(db, "default", "web")?;
                    Reconfigure::instance(
                        (db, &world.tag),
                        &old,
                        Instance { devices: after, ..old.clone() },
                    )
                });
                made.unwrap()
            },
            observe,
        )
        .await;
    });
}

#[test]
fn a_volume_of_an_instance_is_all_or_nothing() {
    play(async |world| {
        let source = source(&world);
        super::volumes::with_volume(&world, "filesystem").await;
        laws::check::<Reconfigure, _>(
            async || {
                running(&world, &source).await;
                world.clone()
            },
            || {
                let disk =
                    [("type", "disk"), ("pool", "default"), ("source", "data"), ("path", "/law2")];
                let after = devices(&[("second", &disk)]);
                let made = world.store.read(|db| {
                    let old = instances::find(db, "default", "web")?;
                    Reconfigure::instance(
                        (db, &world.tag),
                        &old,
                        Instance { devices: after, ..old.clone() },
                    )
                });
                made.unwrap()
            },
            observe,
        )
        .await;
        clear(&world).await;
        super::volumes::without(&world).await;
    });
}

#[test]
fn devices_of_a_profile_are_all_or_nothing() {
    play(async |world| {
        let source = source(&world);
        let old = world.store.read(|db| crate::profiles::find(db, "default", "default")).unwrap();
        laws::check::<Reconfigure, _>(
            async || {
                let row = old.clone();
                let written = world.store.write(|db| {
                    profile_rows::update(db, row.id, "", &row.config, &row.devices)?;
                    Ok::<_, crate::Error>(())
                });
                clear(&world).await;
                written.await.unwrap();
                running(&world, &source).await;
                world.clone()
            },
            || {
                let disk = [("type", "disk"), ("source", &*source), ("path", "/law2")];
                let mut new = old.clone();
                new.devices = new.devices.merged(&devices(&[("second", &disk)]));
                let made = world.store.read(|db| {
                    let old = crate::profiles::find(db, "default", "default")?;
                    Reconfigure::profile((db, &world.tag), old, new)
                });
                made.unwrap()
            },
            observe,
        )
        .await;
    });
}

#[test]
fn a_root_of_another_size_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Reconfigure, _>(
            async || {
                super::instances::with_instance(&world).await;
                world.clone()
            },
            || {
                let root = [("type", "disk"), ("path", "/"), ("pool", "default"), ("size", "1GiB")];
                let after = devices(&[("root", &root)]);
                let made = world.store.read(|db| {
                    let old = instances::find(db, "default", "web")?;
                    Reconfigure::instance(
                        (db, &world.tag),
                        &old,
                        Instance { devices: after, ..old.clone() },
                    )
                });
                made.unwrap()
            },
            async |world| {
                let mut seen = observe(world).await;
                let pool = world.pools.open(world, "default").await.unwrap();
                let root = instances::Kind::Container.root("default", "web").unwrap();
                seen.insert(format!("size {:?}", pool.describe(&root).unwrap().size));
                seen
            },
        )
        .await;
    });
}

#[test]
fn a_device_that_cannot_be_plugged_changes_nothing() {
    play(async |world| {
        let source = source(&world);
        running(&world, &source).await;
        let before = observe(&world).await;
        let file = Path::new(&source).join("file");
        std::fs::write(&file, "").unwrap();
        let disk = [("type", "disk"), ("source", &*source), ("path", "/law2")];
        // A folder cannot be mounted on a file.
        let bad = [("type", "disk"), ("source", &*source), ("path", "/sbin/init")];
        let after = devices(&[("a", &disk), ("b", &bad)]);
        let task = world.store.read(|db| {
            let old = instances::find(db, "default", "web")?;
            Reconfigure::instance(
                (db, &world.tag),
                &old,
                Instance { devices: after, ..old.clone() },
            )
        });
        let error = task.unwrap().run(&world, &Caller::default(), "default").await.unwrap_err();
        let error = tasks::chain(&error);
        assert!(error.contains("device \"b\" cannot be added"), "{error}");
        assert_eq!(observe(&world).await, before);
    });
}
