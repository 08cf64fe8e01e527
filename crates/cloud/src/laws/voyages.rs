//! Laws of the tasks by which a machine that runs goes to another server, with its memory: each end broken off, the
//! other one at work as ever. Both are in one world here: "web" goes, and is "db" there.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tasks::{Operation, Request, Socket, laws};
use tempfile::TempPath;
use uuid::Uuid;
use wire::{InstancePost, InstanceSource, InstancesPost};

use super::{
    machines::{post, with_machine, with_qemu},
    scene::observe,
};
use crate::{
    Caller, World,
    db::instances as rows,
    instances::{
        backups::Of,
        migrate::{Arrive, Depart, announced, receive, send},
    },
    migration::{Link, Voyage},
};

/// Who asks for what by which websockets.
const SOCKETS: [&str; 3] = ["control", "fs", "criu"];

/// A machine "web" that runs, and what it is asked to be elsewhere. Its row forgets its UUID, as "db" is to have that.
async fn departing(world: &Arc<World>) -> InstancesPost {
    with_machine(world).await;
    let mut row = world.store.read(|db| crate::instances::find(db, "default", "web")).unwrap();
    let id = row.config.get("volatile.uuid").unwrap().to_owned();
    for key in ["volatile.uuid", "volatile.uuid.generation"] {
        row.config.set(key, Uuid::nil().to_string());
    }
    let forgot =
        world.store.write(|db| Ok::<_, crate::Error>(rows::set_config(db, row.id, &row.config)?));
    forgot.await.unwrap();
    let source = InstanceSource {
        r#type: "migration".into(),
        mode: "push".into(),
        live: true,
        ..InstanceSource::default()
    };
    let mut post = InstancesPost { name: "db".into(), source, ..post() };
    post.config.insert("volatile.uuid".into(), id);
    post
}

/// The end that is at work as ever: ours of its websockets, as soon as it waits for them.
async fn joined(other: &Operation) -> Link {
    let secret = |name: &str| Some(other.metadata(name)?.as_str()?.to_owned());
    while secret("criu").is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let sockets = SOCKETS.map(|name| {
        let (ours, theirs) = Socket::pair();
        assert!(other.claim(&secret(name).unwrap()).unwrap().fill(theirs));
        ours
    });
    Link::live(sockets)
}

/// An operation that does nothing.
fn idle(world: &World) -> Operation {
    world.operations.spawn(Request::new("nothing"), async |_| Ok::<_, crate::Error>(())).unwrap()
}

/// The end that is broken off, and what it has to do with the other one.
struct Under<T> {
    /// Until it begins.
    task: Option<T>,
    voyage: Uuid,
    other: Operation,
    /// What it reads.
    file: Option<Arc<TempPath>>,
}

/// Between the making of a world and the look at what is left of it.
struct Ends<T>(Mutex<Option<Under<T>>>);

impl<T> Ends<T> {
    fn put(&self, (task, voyage): (T, Uuid), other: Operation, file: Option<Arc<TempPath>>) {
        *self.0.lock().unwrap() = Some(Under { task: Some(task), voyage, other, file });
    }

    fn task(&self) -> T {
        self.0.lock().unwrap().as_mut().unwrap().task.take().unwrap()
    }

    /// All there is to see: afterwards once the other end is over, too, which it is when its link is no more.
    async fn observe(&self, world: &World) -> BTreeSet<String> {
        let begun = self.0.lock().unwrap().take_if(|under| under.task.is_none());
        let Some(Under { voyage, other, file, .. }) = begun else {
            let mut seen = observe(world).await;
            // It was sent before.
            seen.retain(|what| !what.contains("cache/migration-"));
            return seen;
        };
        drop((world.voyages.take(voyage), file));
        other.wait().await;
        observe(world).await
    }
}

#[test]
fn who_departs_with_its_memory_is_here_or_there() {
    with_qemu(async |world| {
        let ends = Ends(Mutex::default());
        laws::check_decided_briefly::<Depart, _>(
            1,
            async || {
                let post = departing(&world).await;
                let other = receive(&world, &Caller::default(), "default", post).unwrap();
                let link = joined(&other).await;
                let task = Depart::new(&world, &Of::new("default", "web"), false).unwrap();
                let voyage = task.voyage();
                world.voyages.put(voyage, Voyage { link, operation: idle(&world) });
                ends.put((task, voyage), other, None);
                world.clone()
            },
            || ends.task(),
            async |world| ends.observe(world).await,
        )
        .await;
    });
}

#[test]
fn who_arrives_with_its_memory_is_there_or_here() {
    with_qemu(async |world| {
        let ends = Ends(Mutex::default());
        laws::check_decided_briefly::<Arrive, _>(
            5,
            async || {
                let post = departing(&world).await;
                let ask = InstancePost { migration: true, live: true, ..InstancePost::default() };
                let other = send(&world, &Caller::default(), "default", "web", &ask).unwrap();
                let mut link = joined(&other).await;
                let operation = idle(&world);
                let made = announced(&world, "default", &post, (&operation, &mut link)).await;
                let (task, file) = made.unwrap();
                let voyage = task.voyage();
                world.voyages.put(voyage, Voyage { link, operation });
                ends.put((task, voyage), other, Some(file));
                world.clone()
            },
            || ends.task(),
            async |world| ends.observe(world).await,
        )
        .await;
    });
}
