//! Files, by the same code that serves those of containers. Contents are streams of their own.
//!
//! One access is asked one thing at a time; what was written to replace a file and not committed is
//! gone with it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, Write},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming};
use runtime::files::{Ask, Server, Told};
use rustix::fs::{Mode, OFlags, fcntl_getfl, open};
use tokio::sync::mpsc;

use super::reply::{self, Refusal, Reply, blocking};
use crate::{
    body::Body,
    limits,
    words::{Opened, Place},
};

/// Those of one connection.
#[derive(Default)]
pub(super) struct Accesses {
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<Mutex<Access>>>>,
}

/// An access to files.
pub(super) struct Access {
    server: Server,
    /// The one that was opened last.
    file: Option<File>,
}

impl Accesses {
    pub(super) fn get(&self, id: u64) -> Option<Arc<Mutex<Access>>> {
        self.all().get(&id).cloned()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Mutex<Access>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(access: &Mutex<Access>) -> MutexGuard<'_, Access> {
    access.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: &io::Error) -> Refusal {
    Refusal::at("access", "file", error)
}

pub(super) async fn begin(accesses: &Accesses, request: Request<Incoming>) -> Reply {
    let Place { root } = reply::read(request).await?;
    if accesses.all().len() >= limits::FILES {
        return Err(failed(&rustix::io::Errno::MFILE.into()));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root: OwnedFd =
        blocking(move || open(root, flags, Mode::empty()).map_err(|error| failed(&error.into())))
            .await?;
    let access = Access { server: Server::new(root), file: None };
    let id = accesses.next.fetch_add(1, Ordering::Relaxed);
    accesses.all().insert(id, Arc::new(Mutex::new(access)));
    reply::json(&Opened { id })
}

pub(super) fn end(accesses: &Accesses, id: u64) -> Reply {
    accesses.all().remove(&id);
    reply::done()
}

pub(super) async fn ask(access: Arc<Mutex<Access>>, request: Request<Incoming>) -> Reply {
    let ask: Ask = reply::read(request).await?;
    let told = blocking(move || lock(&access).answer(ask).map_err(|error| failed(&error))).await?;
    reply::json(&told)
}

impl Access {
    /// What has a name is whole, and what was answered is there, also after a power cut.
    fn answer(&mut self, ask: Ask) -> io::Result<Told> {
        let commit = matches!(ask, Ask::Commit);
        if let (true, Some(file)) = (commit, &self.file) {
            file.sync_data()?;
        }
        let (told, file) = self.server.answer(ask)?;
        if let (true, Some(file)) = (commit, self.file.take()) {
            file.sync_all()?;
        }
        if let Some(file) = file {
            self.file = Some(file.into());
        }
        Ok(told)
    }

    fn file(&self) -> io::Result<File> {
        self.file.as_ref().ok_or(rustix::io::Errno::BADF)?.try_clone()
    }
}

/// Sends the open file, from its beginning.
pub(super) async fn contents(access: &Mutex<Access>) -> Reply {
    let mut file = lock(access).file().map_err(|error| failed(&error))?;
    let (pieces, body) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut rewound = file.rewind();
        loop {
            let mut block = vec![0; limits::BLOCK];
            let piece = match rewound.and_then(|()| file.read(&mut block)) {
                Ok(0) => return,
                Ok(read) => {
                    block.truncate(read);
                    Ok(Bytes::from(block))
                }
                Err(error) => Err(error),
            };
            let last = piece.is_err();
            if pieces.blocking_send(piece).is_err() || last {
                return;
            }
            rewound = Ok(());
        }
    });
    reply::stream(Body::Pieces(body))
}

/// Takes the contents of the open file, as long as the request says.
pub(super) async fn write(access: &Mutex<Access>, request: Request<Incoming>) -> Reply {
    let length = request.headers().get(hyper::header::CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
    let mut file = lock(access).file().map_err(|error| failed(&error))?;
    let (pieces, mut taken) = mpsc::channel::<Bytes>(2);
    let written = tokio::task::spawn_blocking(move || -> io::Result<u64> {
        let mut written = 0;
        file.rewind()?;
        while let Some(piece) = taken.blocking_recv() {
            file.write_all(&piece)?;
            written += piece.len() as u64;
        }
        // What was longer before ends here.
        if !fcntl_getfl(&file)?.contains(OFlags::APPEND) {
            file.set_len(written)?;
        }
        Ok(written)
    });
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(bytes) = frame.into_data() else { continue };
        // It has failed: what it says is next.
        if pieces.send(bytes).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let written = written.await.unwrap_or_else(|_| Err(io::Error::other("it panicked")));
    let written = written.map_err(|error| failed(&error))?;
    if length != Some(written) {
        return Err(failed(&io::ErrorKind::UnexpectedEof.into()));
    }
    reply::done()
}
