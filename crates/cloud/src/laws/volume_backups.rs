//! Laws of the tasks on backups of custom volumes.

use std::{fs, sync::Arc};

use tasks::laws;

use super::{
    backups::named,
    scene::{observe, play},
    volumes::{key, with_snapshot, with_volume, without},
};
use crate::{
    Caller, World,
    backups::{self, Delete, Make, Rename, Upload},
    volumes::backups::{Form, Import, Of},
};

fn data() -> Of {
    Of { volume: key() }
}

async fn with_backup(world: &Arc<World>, content: &str) {
    match content {
        "filesystem" => with_snapshot(world).await,
        _ => with_volume(world, content).await,
    }
    let made = backups::make(world, &Caller::default(), &data(), &named("a")).await;
    made.unwrap().result().await.unwrap();
}

#[test]
fn make_is_all_or_nothing() {
    play(async |world| {
        for content in ["filesystem", "block"] {
            laws::check::<Make<Of>, _>(
                async || {
                    with_volume(&world, content).await;
                    world.clone()
                },
                || Make::new(&world, &Caller::default(), &data(), &named("a")).unwrap(),
                observe,
            )
            .await;
        }
        without(&world).await;
    });
}

#[test]
fn delete_and_rename_are_all_or_nothing() {
    play(async |world| {
        let prepare = async || {
            with_backup(&world, "filesystem").await;
            world.clone()
        };
        let delete = || Delete::new(&world, &Caller::default(), &data(), "a").unwrap();
        laws::check::<Delete<Of>, _>(prepare, delete, observe).await;
        let rename = || Rename::new(&world, &Caller::default(), &data(), "a", "b").unwrap();
        laws::check::<Rename<Of>, _>(prepare, rename, observe).await;
        without(&world).await;
    });
}

#[test]
fn import_is_all_or_nothing() {
    play(async |world| {
        for content in ["filesystem", "block"] {
            with_backup(&world, content).await;
            let waiting = world.dirs.root().join("backups/custom");
            let waiting = fs::read_dir(waiting).unwrap().next().unwrap().unwrap().path();
            let kept = world.dirs.root().join("kept");
            fs::copy(waiting.join("a"), &kept).unwrap();
            let upload = Upload { file: world.dirs.cache().join("upload"), ..Upload::default() };
            let place = ("default", "default");
            let task = async || {
                fs::copy(&kept, &upload.file).unwrap();
                let (caller, form) = (Caller::default(), Form::Backup);
                Import::new(&world, &caller, place, form, &upload).await.unwrap()
            };
            without(&world).await;
            let input = serde_json::to_value(&task().await).unwrap();
            laws::check::<Import, _>(
                async || {
                    without(&world).await;
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
            without(&world).await;
        }
    });
}
