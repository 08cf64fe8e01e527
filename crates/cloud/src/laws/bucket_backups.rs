//! Laws of the tasks on backups of buckets.

use std::{fs, sync::Arc};

use objects::{Attributes, New, Tags};
use tasks::laws;

use super::{
    backups::named,
    buckets::{BUCKET, clear, post},
    scene::{observe, play},
};
use crate::{
    Caller, World,
    backups::{self, Delete, Make, Rename, Upload},
    storage::buckets::{
        self as verbs,
        backups::{Import, Of},
        door,
    },
};

fn photos(world: &World) -> Of {
    Of::asked(world, BUCKET).unwrap()
}

async fn with_bucket(world: &Arc<World>) {
    clear(world).await;
    verbs::create(world, &Caller::default(), BUCKET.0, BUCKET.1, post()).await.unwrap();
    let bucket = door::find(world, BUCKET.2).unwrap().unwrap();
    let store = world.buckets.of(world, &bucket).await.unwrap();
    for (key, size) in [("small", 10), ("large", 100_000)] {
        let mut draft = store.draft();
        draft.write(&vec![7; size]).unwrap();
        let (written, attributes) = (draft.finish().unwrap(), Attributes::default());
        let new = New { key, written, attributes, tags: Tags::new() };
        store.put(new, None, |_| true).unwrap();
    }
}

async fn with_backup(world: &Arc<World>) {
    with_bucket(world).await;
    let made = backups::make(world, &Caller::default(), &photos(world), &named("a")).await;
    made.unwrap().result().await.unwrap();
}

#[test]
fn make_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Make<Of>, _>(
            async || {
                with_bucket(&world).await;
                world.clone()
            },
            || Make::new(&world, &Caller::default(), &photos(&world), &named("a")).unwrap(),
            observe,
        )
        .await;
        clear(&world).await;
    });
}

#[test]
fn delete_and_rename_are_all_or_nothing() {
    play(async |world| {
        let prepare = async || {
            with_backup(&world).await;
            world.clone()
        };
        let delete = || Delete::new(&world, &Caller::default(), &photos(&world), "a").unwrap();
        laws::check::<Delete<Of>, _>(prepare, delete, observe).await;
        let rename = || Rename::new(&world, &Caller::default(), &photos(&world), "a", "b").unwrap();
        laws::check::<Rename<Of>, _>(prepare, rename, observe).await;
        clear(&world).await;
    });
}

#[test]
fn import_is_all_or_nothing() {
    play(async |world| {
        with_backup(&world).await;
        let waiting = world.dirs.root().join("backups/buckets");
        let waiting = fs::read_dir(waiting).unwrap().next().unwrap().unwrap().path();
        let kept = world.dirs.root().join("kept");
        fs::copy(waiting.join("a"), &kept).unwrap();
        let upload = Upload { file: world.dirs.cache().join("upload"), ..Upload::default() };
        clear(&world).await;
        fs::copy(&kept, &upload.file).unwrap();
        let place = (BUCKET.0, BUCKET.1);
        let task = Import::new(&world, &Caller::default(), place, &upload).await.unwrap();
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
        clear(&world).await;
        fs::copy(&kept, &upload.file).unwrap();
        let begun = verbs::backups::import(&world, &Caller::default(), place, &upload).await;
        begun.unwrap().result().await.unwrap();
        let bucket = door::find(&world, BUCKET.2).unwrap().unwrap();
        let store = world.buckets.of(&world, &bucket).await.unwrap();
        assert_eq!(store.total().unwrap(), 100_010);
        clear(&world).await;
    });
}
