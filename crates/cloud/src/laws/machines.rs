//! Laws of the tasks on instances, for virtual machines: with nothing to boot, which is quickest.

use std::sync::Arc;

use tasks::laws;
use wire::{InstanceSource, InstanceType, InstancesPost};

use super::scene::{clear, observe, play};
use crate::{
    Caller, World,
    instances::{
        launch::launch,
        resume::Resume,
        start::{Memory, Start},
        suspend::{Suspend, suspend},
    },
};

/// Runs a law where there is QEMU.
pub(super) fn with_qemu(law: impl AsyncFnOnce(Arc<World>) + Send + 'static) {
    let program = format!("qemu-system-{}", std::env::consts::ARCH);
    match exec::installed(&program) && cfg!(target_arch = "x86_64") {
        true => play(law),
        false => eprintln!("SKIP: no {program} with a BIOS"),
    }
}

pub(super) fn post() -> InstancesPost {
    let pairs = |pairs: &[(&str, &str)]| -> wire::ConfigMap {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    };
    let root = [("type", "disk"), ("path", "/"), ("pool", "default"), ("size", "1MiB")];
    InstancesPost {
        name: "web".into(),
        r#type: InstanceType::VirtualMachine,
        source: InstanceSource { r#type: "none".into(), ..InstanceSource::default() },
        config: pairs(&[
            ("security.csm", "true"),
            ("limits.memory", "64MiB"),
            ("migration.stateful", "true"),
        ]),
        devices: [("root".into(), pairs(&root))].into(),
        start: true,
        ..InstancesPost::default()
    }
}

/// A machine "web".
pub(super) async fn with_machine(world: &Arc<World>) {
    clear(world).await;
    let launched = launch(world, &Caller::default(), "default", post()).await;
    launched.unwrap().result().await.unwrap();
}

async fn with_memory_kept(world: &Arc<World>) {
    with_machine(world).await;
    let kept = suspend(world, &Caller::default(), "default", "web").await;
    kept.unwrap().result().await.unwrap();
}

#[test]
fn a_stop_that_keeps_memory_is_all_or_nothing() {
    with_qemu(async |world| {
        laws::check_briefly::<Suspend, _>(
            async || {
                with_machine(&world).await;
                world.clone()
            },
            || Suspend::new(&world, "default", "web").unwrap(),
            observe,
        )
        .await;
    });
}

#[test]
fn a_start_with_kept_memory_is_all_or_nothing() {
    with_qemu(async |world| {
        laws::check_briefly::<Resume, _>(
            async || {
                with_memory_kept(&world).await;
                world.clone()
            },
            || {
                let (caller, of) = (Caller::default(), ("default", "web"));
                Resume(Start::new(&world, &caller, of, Memory::Needed).unwrap())
            },
            observe,
        )
        .await;
    });
}
