//! Laws of the move of images and backups to a volume and back.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use options::Raw;
use tasks::laws;

use super::{
    backups::named,
    scene::{busybox, observe, play},
    volumes::{key, with_volume, without},
};
use crate::{
    Caller, Error, World, backups,
    db::server,
    depots::{Change, Depot},
    volumes::backups::Of,
};

const KEYS: [&str; 2] = ["storage.images_volume", "storage.backups_volume"];

fn now(world: &World) -> Raw {
    world.store.read(|db| Ok::<_, Error>(server::get(db)?)).unwrap()
}

/// The options with both depots there, and one that has nothing to do with them.
fn options(world: &World, there: &str) -> Raw {
    let mut raw = now(world);
    for key in KEYS {
        match there {
            "" => drop(raw.remove(key)),
            there => raw.set(key, there),
        }
    }
    raw.set("user.where", format!("at {there}"));
    raw
}

/// Has both depots there.
async fn put(world: &Arc<World>, there: &str) {
    let (before, after) = (now(world), options(world, there));
    let caller = Caller::default();
    if let Some(moving) = crate::depots::submit(world, &caller, &before, &after).await.unwrap() {
        moving.result().await.unwrap();
    }
}

/// What is in a folder, however deep, with the length of each file.
fn walk(folder: &Path, seen: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, meta) = (entry.path(), entry.metadata().unwrap());
        if meta.is_dir() {
            walk(&path, seen);
        } else {
            seen.insert(format!("kept {} {}", path.display(), meta.len()));
        }
    }
}

async fn look(world: &World) -> BTreeSet<String> {
    let mut seen = observe(world).await;
    let root = world.dirs.root();
    for folder in ["images", "backups", "storage-pools/default/custom"] {
        walk(&root.join(folder), &mut seen);
    }
    let raw = now(world);
    seen.extend(raw.iter().map(|(key, value)| format!("option {key}={value}")));
    for depot in Depot::ALL {
        seen.insert(format!("{depot:?} at {}", world.depots.path(depot).unwrap().display()));
    }
    let image = world.depots.path(Depot::Images).unwrap().join(busybox(world));
    assert!(image.is_file(), "no file of the image: {seen:#?}");
    seen
}

#[test]
fn a_move_is_all_or_nothing() {
    play(async |world| {
        for (from, to) in [("", "default/data"), ("default/data", "")] {
            let prepare = async || {
                put(&world, "").await;
                if world.store.read(|db| Ok::<_, Error>(key().row(db)?.is_none())).unwrap() {
                    with_volume(&world, "filesystem").await;
                    let of = Of { volume: key() };
                    let made = backups::make(&world, &Caller::default(), &of, &named("a")).await;
                    made.unwrap().result().await.unwrap();
                }
                put(&world, from).await;
                // Whatever an earlier run wrote besides.
                let raw = options(&world, from);
                world.store.write(|db| Ok::<_, Error>(server::replace(db, &raw)?)).await.unwrap();
                world.clone()
            };
            let task = || {
                let (before, after) = (now(&world), options(&world, to));
                Change::new(&world, &before, &after).unwrap().unwrap()
            };
            laws::check::<Change, _>(prepare, task, look).await;
        }
        put(&world, "").await;
        without(&world).await;
    });
}
