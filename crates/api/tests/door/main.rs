//! The door as clients see it: a real server on a socket of its own, with nothing in it.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of it is tests")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use client::Client;
use cloud::{Dirs, Host, Parts, World, names, reconcile};
use network::Plane;
use serde_json::{Value, json};
use store::Store;

mod errors;
mod lists;
mod sockets;
mod uploads;

/// A server, and a client of it.
struct Door {
    folder: tempfile::TempDir,
    world: Arc<World>,
    client: Client,
    _started: tokio::sync::mpsc::UnboundedReceiver<cloud::instances::guests::Guest>,
}

impl Door {
    /// `None` where it cannot be, with the reason on stderr.
    async fn open() -> Option<Door> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP: only root can look at the machine's links");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let dirs = Dirs::new(folder.path());
        dirs.make().unwrap();
        let options = store::Options::new(cloud::db::MIGRATIONS);
        let (world, started) = World::new(Parts {
            plane: Plane::new(names::daemon_tag(dirs.root())).unwrap(),
            links: Arc::default(),
            binary: PathBuf::from("/proc/self/exe"),
            host: Host::look().unwrap(),
            store: Store::open(&dirs.database(), options).await.unwrap(),
            dirs,
        });
        let world = Arc::new(world);
        reconcile::boot(&world).await.unwrap();
        world.open();
        let socket = world.dirs.socket();
        let listener = api::bind(&socket, None).unwrap();
        tokio::spawn(api::serve(listener, world.clone(), std::future::pending()));
        Some(Door { folder, world, client: Client::new(socket), _started: started })
    }

    /// Status and JSON of a reply.
    async fn ask(&self, method: &'static str, target: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|body| body.to_string());
        let (status, bytes) = self.client.raw(method, target, body).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let json = serde_json::from_slice(&bytes);
        (status, json.unwrap_or_else(|error| panic!("{method} {target}: {error}: {text}")))
    }

    /// The result of a request that must succeed.
    async fn get(&self, target: &str) -> Value {
        self.done("GET", target, None).await
    }

    /// The result of a request that must succeed.
    async fn done(&self, method: &'static str, target: &str, body: Option<Value>) -> Value {
        let (status, mut reply) = self.ask(method, target, body).await;
        assert!(status < 300, "{method} {target}: {reply}");
        reply["metadata"].take()
    }

    async fn make_profile(&self, name: &str, project: &str) {
        let target = format!("/1.0/profiles?project={project}");
        self.done("POST", &target, Some(json!({ "name": name }))).await;
    }

    async fn make_project(&self, name: &str) {
        self.done("POST", "/1.0/projects", Some(json!({ "name": name }))).await;
    }
}

/// Waits until something is so, which it must be soon.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok(), "never: {what}");
}
