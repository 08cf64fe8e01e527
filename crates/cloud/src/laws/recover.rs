//! A recovery beside what else goes on.

use std::{fs, path::Path};

use super::{
    instances::with_instance,
    scene::{clear, play},
};
use crate::{Caller, World, instances, recover};

/// What stands in a pool without a row: a container.
fn leave(world: &World, name: &str) {
    let folder = world.dirs.pool("default").join("containers").join(name);
    fs::create_dir_all(folder.join("upper")).unwrap();
    fs::create_dir_all(folder.join("work")).unwrap();
    fs::write(folder.join("volume.json"), whole_volume(&world.dirs.pool("default"))).unwrap();
}

/// The note of a container, as the driver writes it.
fn whole_volume(pool: &Path) -> Vec<u8> {
    fs::read(pool.join("containers/web/volume.json")).unwrap()
}

fn names(found: &recover::Found) -> Vec<&str> {
    found.volumes.iter().map(|volume| volume.name.as_str()).collect()
}

#[test]
fn what_a_task_works_on_is_left_to_it() {
    play(async |world| {
        with_instance(&world).await;
        for name in ["ghost", "busy", "ghost@new"] {
            leave(&world, name);
        }
        let claim = [tasks::Claim::alone(instances::lock_name("default", "busy"))];
        let held = world.locks().try_lock(&claim, "a launch").unwrap();
        let found = recover::recover(&world, &Caller::default(), Vec::new()).await.unwrap();
        assert_eq!(names(&found), ["ghost"]);
        let said = found.problems.join("\n");
        assert!(said.contains("a launch") && said.contains("ghost@new"), "{said}");
        drop(held);
        let found = recover::recover(&world, &Caller::default(), Vec::new()).await.unwrap();
        assert_eq!(names(&found), ["busy"]);
        fs::remove_dir_all(world.dirs.pool("default").join("containers/ghost@new")).unwrap();
        clear(&world).await;
    });
}
