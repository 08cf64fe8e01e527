//! Laws of the tasks that bring a copy up to date. They write into it, so what a fault leaves is between
//! then and now; but it is there, and the same request finishes it.

use std::{collections::BTreeSet, sync::Arc};

use tasks::laws;
use wire::{
    InstanceSource, InstancesPost, StorageVolumeSnapshotsPost, StorageVolumeSource,
    StorageVolumesPost,
};

use super::{
    scene::{observe, play},
    snapshots as of_instances,
    volumes::{self as of_volumes, key},
};
use crate::{
    Caller, World,
    instances::{self, copy::Refresh as OfInstance},
    volumes::{self, Refresh as OfVolume, snapshots},
};

fn copied(name: &str, source: &str) -> InstancesPost {
    let (r#type, source) = (String::from("copy"), String::from(source));
    let source = InstanceSource { r#type, source, ..InstanceSource::default() };
    InstancesPost { name: name.into(), source, ..InstancesPost::default() }
}

/// An instance "web" and its copy "db", from which it has moved on: another snapshot, other files.
async fn with_old_copy(world: &Arc<World>) {
    of_instances::with_snapshot(world).await;
    let (caller, post) = (Caller::default(), copied("db", "web"));
    let made = instances::copy::copy(world, &caller, "default", post).await.unwrap();
    made.result().await.unwrap();
    let snapshot = wire::InstanceSnapshotsPost { name: "new".into(), ..Default::default() };
    let taken = instances::snapshots::take(world, &caller, "default", "web", &snapshot).await;
    taken.unwrap().result().await.unwrap();
    let gone = instances::snapshots::delete(world, &caller, "default", "web", "a").await;
    gone.unwrap().result().await.unwrap();
    of_instances::write_note(world, "moved on");
}

#[test]
fn a_refresh_of_an_instance_can_be_asked_for_until_it_is_done() {
    play(async |world| {
        laws::check_repeatable::<OfInstance, _>(
            async || {
                with_old_copy(&world).await;
                world.clone()
            },
            || {
                OfInstance::new(&world, &Caller::default(), "default", &copied("db", "web"))
                    .unwrap()
            },
            observe,
            |seen| sane(seen, "row instance db running=false Ready", "db"),
        )
        .await;
    });
}

/// The copy is there, and each of its snapshots has its row and its files.
fn sane(seen: &BTreeSet<String>, copy: &str, name: &str) -> Result<(), String> {
    if !seen.iter().any(|one| one.starts_with(copy)) {
        return Err(format!("the copy is gone: {seen:?}"));
    }
    for snapshot in ["a", "new"] {
        let row =
            seen.iter().any(|one| one.starts_with(&format!("row snapshot {name}/{snapshot} ")));
        let place = format!("{name}/snapshots/{snapshot} ");
        let files = seen.iter().any(|one| one.starts_with("files") && one.contains(&place));
        if row != files {
            return Err(format!("snapshot {snapshot}: row {row}, files {files}: {seen:?}"));
        }
    }
    match seen.iter().find(|one| one.contains("@new") || one.contains("/new-")) {
        Some(left) => Err(format!("left behind: {left}")),
        None => Ok(()),
    }
}

fn brought(name: &str) -> StorageVolumesPost {
    let source = StorageVolumeSource {
        r#type: "copy".into(),
        name: "data".into(),
        pool: "default".into(),
        refresh: true,
        ..StorageVolumeSource::default()
    };
    StorageVolumesPost { name: name.into(), source, ..StorageVolumesPost::default() }
}

async fn copy(world: &Arc<World>) {
    let (caller, place) = (Caller::default(), ("default", "default", "custom"));
    let made = volumes::copy(world, &caller, place, brought("copy")).await.unwrap();
    made.result().await.unwrap();
}

async fn with_old_copy_of_volume(world: &Arc<World>) {
    of_volumes::with_snapshot(world).await;
    copy(world).await;
    let caller = Caller::default();
    let post = StorageVolumeSnapshotsPost { name: "new".into(), ..Default::default() };
    let taken = snapshots::take(world, &caller, &key(), &post).await.unwrap();
    taken.result().await.unwrap();
    let gone = snapshots::delete(world, &caller, &key(), "a").await.unwrap();
    gone.result().await.unwrap();
    of_volumes::write_note(world, "moved on");
}

#[test]
fn a_refresh_of_a_volume_can_be_asked_for_until_it_is_done() {
    play(async |world| {
        laws::check_repeatable::<OfVolume, _>(
            async || {
                with_old_copy_of_volume(&world).await;
                world.clone()
            },
            || {
                let (caller, post) = (Caller::default(), brought("copy"));
                OfVolume::new(&world, &caller, "default", "default", &post).unwrap()
            },
            observe,
            |seen| sane(seen, "row volume default/copy Ready", "copy"),
        )
        .await;
        of_volumes::without(&world).await;
    });
}
