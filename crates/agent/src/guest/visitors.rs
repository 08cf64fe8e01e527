//! Those inside who ask the host, on `/dev/lxd/sock`: each is carried to it over this connection.
//!
//! ```text
//! host: wait ─────> the socket is there from the first wait on; answered with the next who comes
//!       0, 1 ─────> what it is told, what it says: a request each, so nobody's bytes hold up another's
//!       no more ──> the socket is gone, and who came
//! ```
//! While the host does not wait, whoever comes waits in the kernel. Only root may come.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use hyper::{Request, body::Incoming};
use tokio::{
    io::AsyncReadExt,
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use super::reply::{self, Refusal, Reply};
use crate::{body::Body, limits, words::Arrived};

const SOCKET: &str = "sock";

/// Those of one connection.
pub(super) struct Visitors {
    folder: PathBuf,
    next: AtomicU64,
    door: Mutex<Option<Arc<Door>>>,
    here: Mutex<BTreeMap<u64, Visitor>>,
}

/// The socket; it is removed when nobody listens any more.
struct Door {
    listener: UnixListener,
    path: PathBuf,
}

/// The halves of a stream that nobody has taken yet.
struct Visitor {
    says: Option<OwnedReadHalf>,
    told: Option<OwnedWriteHalf>,
}

impl Drop for Door {
    fn drop(&mut self) {
        // It is only a name.
        let _ = fs::remove_file(&self.path);
    }
}

impl Visitors {
    pub(super) fn new(folder: &Path) -> Visitors {
        Visitors {
            folder: folder.to_owned(),
            next: AtomicU64::default(),
            door: Mutex::default(),
            here: Mutex::default(),
        }
    }

    /// Listens, if it does not yet.
    fn door(&self) -> io::Result<Arc<Door>> {
        let mut door = lock(&self.door);
        if let Some(open) = &*door {
            return Ok(open.clone());
        }
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(SOCKET);
        // Of an agent that was here before.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(door.insert(Arc::new(Door { listener, path })).clone())
    }

    fn admit(&self, stream: UnixStream) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (says, told) = stream.into_split();
        lock(&self.here).insert(id, Visitor { says: Some(says), told: Some(told) });
        id
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answered when somebody comes.
pub(super) async fn wait(visitors: &Visitors) -> Reply {
    let failed = |error| Refusal::at("listen at", visitors.folder.to_string_lossy(), &error);
    let door = visitors.door().map_err(failed)?;
    let (stream, _) = door.listener.accept().await.map_err(failed)?;
    reply::json(&Arrived { id: visitors.admit(stream) })
}

/// Nobody may come any more.
pub(super) fn close(visitors: &Visitors) -> Reply {
    *lock(&visitors.door) = None;
    lock(&visitors.here).clear();
    reply::done()
}

/// What one is told; answered when it was, or takes no more.
pub(super) async fn tell(visitors: &Visitors, id: u64, request: Request<Incoming>) -> Reply {
    let taken = lock(&visitors.here).get_mut(&id).and_then(|visitor| visitor.told.take());
    reply::pour(request, taken.ok_or(Refusal::Unknown)?).await
}

/// What one says.
pub(super) fn hear(visitors: &Visitors, id: u64) -> Reply {
    let taken = lock(&visitors.here).get_mut(&id).and_then(|visitor| visitor.says.take());
    let from = taken.ok_or(Refusal::Unknown)?;
    let (pieces, body) = mpsc::channel(1);
    tokio::spawn(read(from, pieces));
    reply::stream(Body::Pieces(body))
}

/// Sends what is read, until its end or until nobody wants it.
async fn read(mut from: OwnedReadHalf, pieces: mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(limits::BLOCK);
        let read = tokio::select! {
            read = from.read_buf(&mut buffer) => read,
            () = pieces.closed() => return,
        };
        match read {
            Ok(1..) => {}
            _ => return,
        }
        if pieces.send(Ok(buffer.split().freeze())).await.is_err() {
            return;
        }
    }
}

/// The host is done with one.
pub(super) fn forget(visitors: &Visitors, id: u64) -> Reply {
    lock(&visitors.here).remove(&id);
    reply::done()
}
