//! Laws of the tasks on instances.

use std::sync::Arc;

use tasks::laws;
use wire::{InstanceSource, InstancesPost};

use super::scene::{busybox, clear, observe, play};
use crate::{
    Caller, World,
    instances::{
        delete::Delete,
        launch::Launch,
        rename::Rename,
        start::{Memory, Start},
    },
};

pub(super) fn post(world: &World, start: bool) -> InstancesPost {
    InstancesPost {
        name: "web".into(),
        source: InstanceSource {
            r#type: "image".into(),
            fingerprint: busybox(world),
            ..InstanceSource::default()
        },
        start,
        ..InstancesPost::default()
    }
}

/// An instance "web" that is stopped.
pub(super) async fn with_instance(world: &Arc<World>) {
    clear(world).await;
    let (caller, post) = (Caller::default(), post(world, false));
    let launched = crate::instances::launch::launch(world, &caller, "default", post).await;
    launched.unwrap().result().await.unwrap();
}

#[test]
fn launch_is_all_or_nothing() {
    play(async |world| {
        let input = post(&world, true);
        laws::check::<Launch, _>(
            async || {
                clear(&world).await;
                world.clone()
            },
            || Launch::new(&world, &Caller::default(), "default", &input).unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn start_is_all_or_nothing() {
    play(async |world| {
        laws::check::<Start, _>(
            async || {
                with_instance(&world).await;
                world.clone()
            },
            || Start::new(&world, &Caller::default(), ("default", "web"), Memory::Used).unwrap(),
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
                with_instance(&world).await;
                world.clone()
            },
            || Delete::new(&world, &Caller::default(), "default", "web").unwrap(),
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
                with_instance(&world).await;
                world.clone()
            },
            || Rename::new(&world, &Caller::default(), "default", "web", "db").unwrap(),
            observe,
        )
        .await;
    });
}
