//! Laws of the tasks by which an instance goes to another member: each end alone, the other one played.

use std::{fs, sync::Arc};

use tasks::{Operation, Request, laws};

use super::{
    backups::named,
    scene::{observe, play},
    snapshots::with_snapshot,
};
use crate::{
    Caller, World, backups,
    db::{
        instances::{self as rows, Instance},
        members::{self, Member},
        moves,
    },
    instances::{
        backups::{Import, Of},
        migrate::{Leave, Moving},
    },
    migration::{Link, Said, VERSION, Voyage},
};

/// Another member; its number.
async fn other(world: &World) -> store::MemberId {
    let added = world.store.write(|db| {
        let own = crate::cluster::own(db)?;
        let new = Member { name: String::from("other"), ..own };
        Ok::<_, crate::Error>(members::insert(db, &new, chrono::Utc::now())?)
    });
    added.await.unwrap()
}

fn web() -> Of {
    Of::new("default", "web")
}

fn row(world: &World) -> Instance {
    world.store.read(|db| crate::instances::find(db, "default", "web")).unwrap()
}

/// Whether a move is noted.
fn under_way(world: &World) -> bool {
    let noted = world.store.read(|db| {
        let row = rows::get(db, "default", "web")?;
        Ok::<_, crate::Error>(row.map(|row| moves::get(db, row.id)).transpose()?.flatten())
    });
    noted.unwrap().is_some()
}

/// An operation that does nothing.
fn idle(world: &World) -> Operation {
    world.operations.spawn(Request::new("nothing"), async |_| Ok::<_, crate::Error>(())).unwrap()
}

/// The target: receives all, and makes the row the other member's while the move is noted.
async fn take(world: Arc<World>, mut link: Link, moving: Moving, to: store::MemberId) {
    let done: crate::Result<()> = async {
        let operation = idle(&world);
        link.tell(&Said::Hello { version: VERSION, oldest: 0, driver: None }).await?;
        let folder = tempfile::tempdir().unwrap();
        loop {
            let size = match link.hear().await? {
                Said::Ready { size, .. } | Said::Kept { size, .. } => size,
                Said::All => break,
                other => panic!("{other:?}"),
            };
            let file = folder.path().join("file");
            fs::File::create(&file).unwrap();
            link.receive_file(&file, size, operation.control()).await?;
        }
        let taken = world.store.write(|db| {
            assert_eq!(moves::get(db, moving.instance)?, Some(moving.number.to_string()));
            rows::set_member(db, moving.instance, to)?;
            Ok::<_, crate::Error>(moves::end(db, moving.instance, &moving.number.to_string())?)
        });
        taken.await?;
        link.tell(&Said::Done).await
    }
    .await;
    // The source gave up.
    drop(done);
}

#[test]
fn who_leaves_is_here_or_there() {
    play(async |world| {
        let to = other(&world).await;
        laws::check_decided::<Leave, _>(
            1,
            async || {
                with_snapshot(&world).await;
                let made = backups::make(&world, &Caller::default(), &web(), &named("a")).await;
                made.unwrap().result().await.unwrap();
                world.clone()
            },
            || {
                let moving = Moving::new(row(&world).id);
                let task = Leave::new(&world, &web(), moving.clone(), None).unwrap();
                let (here, there) = Link::pair();
                let voyage = Voyage { link: here, operation: idle(&world) };
                world.voyages.put(task.voyage(), voyage);
                tokio::spawn(take(world.clone(), there, moving, to));
                task
            },
            async |world| (observe(world).await, under_way(world)),
        )
        .await;
    });
}

#[test]
fn who_settles_is_here_or_there() {
    play(async |world| {
        let to = other(&world).await;
        with_snapshot(&world).await;
        let made = backups::make(&world, &Caller::default(), &web(), &named("a")).await;
        made.unwrap().result().await.unwrap();
        let kept = world.dirs.root().join("kept");
        fs::copy(world.dirs.root().join("backups/instances/default_web/a"), &kept).unwrap();
        let upload = world.dirs.cache().join("upload");
        laws::check_decided::<Import, _>(
            3,
            async || {
                with_snapshot(&world).await;
                let row = row(&world);
                crate::instances::delete::delete_volume(&world, "default", &row).await.unwrap();
                let moved = world.store.write(|db| {
                    rows::set_member(db, row.id, to)?;
                    Ok::<_, crate::Error>(moves::begin(db, row.id, &uuid::Uuid::nil().to_string())?)
                });
                moved.await.unwrap();
                fs::copy(&kept, &upload).unwrap();
                world.clone()
            },
            || {
                let row = row(&world);
                let moving = Moving { instance: row.id, number: uuid::Uuid::nil() };
                let what = (moving, row, "default");
                Import::of_move(&world, &Caller::default(), what, (&upload, false)).unwrap()
            },
            async |world| {
                // The file is the operation's until the task has ended.
                let mut seen = observe(world).await;
                seen.retain(|what| !what.contains("cache/upload"));
                seen
            },
        )
        .await;
    });
}
