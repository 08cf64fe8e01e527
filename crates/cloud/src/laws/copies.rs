//! Laws of the tasks that copy instances.

use tasks::laws;
use wire::{InstanceSource, InstancesPost};

use super::{
    scene::{observe, play},
    snapshots::with_snapshot,
};
use crate::{Caller, instances::copy::Copy};

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
