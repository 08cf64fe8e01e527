//! Several members in one process, talking over pipes that can be cut.

mod change;
mod chaos;
mod failure;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use store::{Member, MemberId, Options, Result, Role, Store, Stream, Transport, params, testing};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::{SCHEMA, temp};

/// The members' wires.
#[derive(Debug)]
struct Wires {
    stores: Mutex<BTreeMap<MemberId, Store>>,
    cut: Mutex<BTreeSet<MemberId>>,
    runtime: Handle,
}

/// One member's end.
#[derive(Debug)]
struct End(MemberId, Arc<Wires>);

#[async_trait::async_trait]
impl Transport for End {
    async fn dial(&self, member: &Member) -> io::Result<Box<dyn Stream>> {
        let wires = &self.1;
        let unreachable = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let is_cut = |id| wires.cut.lock().unwrap().contains(&id);
        if is_cut(self.0) || is_cut(member.id) {
            return Err(unreachable());
        }
        let store = wires.stores.lock().unwrap().get(&member.id).cloned();
        let store = store.ok_or_else(unreachable)?;
        let (mine, theirs) = tokio::io::duplex(64 << 10);
        let (from, to, watch) = (self.0, member.id, wires.clone());
        wires.runtime.spawn(async move {
            tokio::select! {
                _ = store.serve(theirs) => {}
                () = watch.until_cut(from, to) => {}
            }
        });
        Ok(Box::new(mine))
    }
}

impl Wires {
    async fn until_cut(&self, from: MemberId, to: MemberId) {
        loop {
            {
                let cut = self.cut.lock().unwrap();
                if cut.contains(&from) || cut.contains(&to) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A cluster whose members live in folders of one temporary folder.
struct Cluster {
    dir: TempDir,
    wires: Arc<Wires>,
    patience: Duration,
}

impl Cluster {
    /// One member that has founded it, and as many more that joined and vote.
    async fn of(members: MemberId) -> Cluster {
        Cluster::with_patience(members, Duration::from_secs(5)).await
    }

    async fn with_patience(members: MemberId, patience: Duration) -> Cluster {
        let (stores, cut, runtime) = (Mutex::default(), Mutex::default(), Handle::current());
        let wires = Arc::new(Wires { stores, cut, runtime });
        let cluster = Cluster { dir: temp(), wires, patience };
        cluster.start(1).await;
        for id in 2..=members {
            cluster.join(id).await;
            cluster.store(1).promote(id).await.unwrap();
        }
        cluster
    }

    fn folder(&self, id: MemberId) -> PathBuf {
        self.dir.path().join(id.to_string())
    }

    fn options(&self, id: MemberId) -> Options {
        Options {
            me: member(id),
            transport: Arc::new(End(id, self.wires.clone())),
            heartbeat: Duration::from_millis(50),
            patience: self.patience,
            snapshot_every: 100,
            ..Options::new(SCHEMA)
        }
    }

    /// Opens a member's folder.
    async fn start(&self, id: MemberId) -> Store {
        let store = Store::open(&self.folder(id), self.options(id)).await.unwrap();
        self.wires.stores.lock().unwrap().insert(id, store.clone());
        store
    }

    /// Opens a new folder for a member and adds it, without a vote.
    async fn join(&self, id: MemberId) -> Store {
        let leader = self.leader().await;
        let options = Options { join: Some(leader.status().cluster), ..self.options(id) };
        let store = Store::open(&self.folder(id), options).await.unwrap();
        self.wires.stores.lock().unwrap().insert(id, store.clone());
        leader.add(member(id)).await.unwrap();
        store
    }

    async fn stop(&self, id: MemberId) {
        let store = self.wires.stores.lock().unwrap().remove(&id).unwrap();
        store.close().await.unwrap();
    }

    async fn cut(&self, id: MemberId) {
        self.wires.cut.lock().unwrap().insert(id);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }

    fn mend(&self) {
        self.wires.cut.lock().unwrap().clear();
    }

    fn store(&self, id: MemberId) -> Store {
        self.wires.stores.lock().unwrap()[&id].clone()
    }

    fn stores(&self) -> Vec<Store> {
        self.wires.stores.lock().unwrap().values().cloned().collect()
    }

    async fn leader(&self) -> Store {
        let cut = |store: &Store| self.wires.cut.lock().unwrap().contains(&store.status().me);
        eventually("a leader", || {
            let leads = |s: &Store| s.status().role == Role::Leader && !cut(s);
            self.stores().into_iter().find(leads)
        })
        .await
    }

    /// Waits until all have the same rows, and returns them as text.
    async fn same_everywhere(&self) -> String {
        eventually("the same rows everywhere", || {
            let dumps: BTreeSet<_> =
                self.stores().iter().map(|s| testing::dump(s).unwrap()).collect();
            (dumps.len() == 1).then(|| dumps.into_iter().next().unwrap())
        })
        .await
    }
}

fn member(id: MemberId) -> Member {
    Member { id, name: format!("m{id}"), address: format!("pipe {id}") }
}

async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "no {what} in 15 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn note(store: &Store, body: &str) -> Result<usize> {
    store.write(|w| w.execute("INSERT INTO notes(body) VALUES (?1)", params![body])).await
}
