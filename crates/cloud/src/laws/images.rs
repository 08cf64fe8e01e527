//! Laws of the tasks on images.

use std::sync::Arc;

use tasks::laws;
use wire::{ImageAlias, ImagesPost, ImagesPostSource};

use super::scene::{busybox, observe, play};
use crate::{
    Caller, World,
    images::{self as verbs, Build, Delete, Import, Publish, Upload},
};

/// A copy of the busybox image's file, as an upload.
fn upload(world: &World) -> Upload {
    let source = world.dirs.root().join("kept.tar");
    let main = world.dirs.cache().join("upload");
    std::fs::copy(source, &main).unwrap();
    Upload { main, ..Upload::default() }
}

/// Keeps a copy of the image's file and deletes the image.
async fn without_images(world: &Arc<World>) {
    let kept = world.dirs.root().join("kept.tar");
    if !kept.exists() {
        std::fs::copy(world.dirs.images().join(busybox(world)), &kept).unwrap();
    }
    for image in verbs::list(world, None).unwrap() {
        let gone = verbs::delete(world, &Caller::default(), "default", &image.fingerprint);
        gone.unwrap().result().await.unwrap();
    }
    for entry in std::fs::read_dir(world.dirs.cache()).unwrap().flatten() {
        std::fs::remove_file(entry.path()).unwrap();
    }
}

async fn with_image(world: &Arc<World>) {
    without_images(world).await;
    let taken =
        verbs::import(world, &Caller::default(), "default", upload(world), ImagesPost::default());
    taken.unwrap().result().await.unwrap();
}

#[test]
fn import_is_all_or_nothing() {
    play(async |world| {
        let alias = ImageAlias { name: "tiny".into(), description: String::new() };
        let post = ImagesPost { aliases: vec![alias], ..ImagesPost::default() };
        laws::check::<Import, _>(
            async || {
                without_images(&world).await;
                world.clone()
            },
            || {
                let upload = upload(&world);
                Import::new(&world, &Caller::default(), "default", upload, post.clone()).unwrap()
            },
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
fn delete_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Delete, _>(
            async || {
                with_image(&world).await;
                world.clone()
            },
            || Delete::new(&world, &Caller::default(), "default", &busybox(&world)).unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn build_leaves_a_whole_image_or_none() {
    play(async |world| {
        laws::check::<Build, _>(
            async || {
                without_images(&world).await;
                world.clone()
            },
            || {
                let (caller, post) = (Caller::default(), ImagesPost::default());
                Build::new(&world, &caller, "default", "busybox", post).unwrap()
            },
            async |world| {
                let count = verbs::list(world, None).unwrap().len();
                let work = world.dirs.cache().join("build-busybox").exists();
                (count, work)
            },
        )
        .await;
    });
}

#[test]
fn publish_is_all_or_nothing() {
    play(async |world| {
        super::snapshots::with_snapshot(&world).await;
        let source = ImagesPostSource {
            r#type: "snapshot".into(),
            name: "web/a".into(),
            ..ImagesPostSource::default()
        };
        let alias = ImageAlias { name: "mine".into(), description: String::new() };
        let post = ImagesPost {
            aliases: vec![alias],
            source: Some(source),
            compression_algorithm: "none".into(),
            ..ImagesPost::default()
        };
        let first = busybox(&world);
        laws::check::<Publish, _>(
            async || {
                for image in verbs::list(&world, None).unwrap() {
                    if image.fingerprint != first {
                        let (caller, print) = (Caller::default(), &image.fingerprint);
                        let gone = verbs::delete(&world, &caller, "default", print);
                        gone.unwrap().result().await.unwrap();
                    }
                }
                world.clone()
            },
            || Publish::new(&world, &Caller::default(), "default", post.clone()).unwrap(),
            async |world| {
                // Its fingerprint is another at every second.
                let mut seen = observe(world).await;
                let images = seen.iter().filter(|one| one.contains("/images/")).count();
                seen.retain(|one| !one.contains("/images/") && !one.starts_with("row image "));
                (seen, images, verbs::list(world, None).unwrap().len())
            },
        )
        .await;
    });
}
