//! What is done for each request.

use std::{path::PathBuf, sync::Arc};

use runtime::files::{Change, FileKind, Owner, Seen};
use rustix::io::Errno;

use super::{
    super::{Of, either::Files},
    access::{Access, Failure},
    handles::Handles,
    packet::{self, Garbled, Reader, Status, Writer, kind},
};
use crate::{Result, World, blocking::blocking};

/// A client's end.
pub(super) struct Server {
    pub(super) access: Access,
    pub(super) handles: Handles,
}

/// Why a request is answered by a status alone.
pub(super) enum Refused {
    Garbled,
    Unsupported,
    NoHandle,
    TooMany,
    End,
    Failed(Failure),
}

impl From<Garbled> for Refused {
    fn from(_: Garbled) -> Refused {
        Refused::Garbled
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::Failed(failure)
    }
}

impl From<crate::Error> for Refused {
    fn from(error: crate::Error) -> Refused {
        Refused::Failed(error.into())
    }
}

impl Refused {
    fn answer(&self, request: u32) -> Writer {
        let (status, words) = match self {
            Refused::Garbled => (Status::Nonsense, "the request is garbled"),
            Refused::Unsupported => (Status::Unsupported, "the request is not known"),
            Refused::NoHandle => (Status::Failed, "nothing is open by this handle"),
            Refused::TooMany => (Status::Failed, "too many files are open"),
            Refused::End => (Status::End, "there is no more"),
            Refused::Failed(failure) => (status(failure.errno), failure.words.as_str()),
        };
        Writer::status(request, status, words)
    }
}

fn status(errno: Option<Errno>) -> Status {
    match errno {
        Some(Errno::NOENT | Errno::NOTDIR) => Status::NotThere,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Status::Denied,
        _ => Status::Failed,
    }
}

pub(super) type Answered = Result<Writer, Refused>;

impl Server {
    pub(super) fn new(world: Arc<World>, of: Of) -> Server {
        Server { access: Access::new(world, of), handles: Handles::default() }
    }

    pub(super) async fn open(&mut self) -> Result<()> {
        self.access.open().await.map(drop)
    }

    /// Lets go of a volume, if nothing in it is open.
    pub(super) async fn let_go(&mut self) {
        if self.handles.is_empty() && self.access.holds() {
            self.access.release().await;
        }
    }

    pub(super) async fn end(mut self) {
        self.handles = Handles::default();
        self.access.release().await;
    }

    /// Answers a packet.
    pub(super) async fn answer(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut reader = Reader(packet);
        let Ok(asked) = reader.byte() else { return Vec::new() };
        if asked == kind::INIT {
            return packet::version();
        }
        let Ok(request) = reader.number() else { return Vec::new() };
        let answer = self.dispatch(asked, request, reader).await;
        answer.unwrap_or_else(|refused| refused.answer(request)).end()
    }

    async fn dispatch(&mut self, asked: u8, request: u32, mut from: Reader<'_>) -> Answered {
        match asked {
            kind::OPEN => self.open_file(request, from).await,
            kind::CLOSE => self.close(request, from).await,
            kind::READ => self.read(request, from).await,
            kind::WRITE => self.write(request, from).await,
            kind::FSTAT => self.look_at_open(request, from.bytes()?).await,
            kind::FSETSTAT => self.change_open(request, from).await,
            kind::OPENDIR => self.open_folder(request, from.text()?).await,
            kind::READDIR => self.read_folder(request, from.bytes()?),
            kind::LSTAT => self.look(request, from.text()?, false).await,
            kind::STAT => self.look(request, from.text()?, true).await,
            kind::REALPATH => self.resolve(request, from.text()?).await,
            kind::READLINK => self.link(request, from.text()?).await,
            _ => self.change(asked, from).await.map(|()| Writer::status(request, Status::Ok, "")),
        }
    }

    /// What changes a name.
    async fn change(&mut self, asked: u8, mut from: Reader<'_>) -> Result<(), Refused> {
        let word = from.text()?;
        let path = at(&word);
        match asked {
            kind::EXTENDED => self.extended(&word, from).await?,
            kind::SETSTAT => {
                let change = from.change()?;
                self.access.ask(move |files| files.change(&path, &change)).await?;
            }
            kind::REMOVE => {
                // Anything but a folder.
                let file = Some(FileKind::File);
                self.access.ask(move |files| files.remove(&path, file)).await?;
            }
            kind::RMDIR => {
                let folder = Some(FileKind::Folder);
                self.access.ask(move |files| files.remove(&path, folder)).await?;
            }
            kind::MKDIR => self.make_folder(path, from.change()?).await?,
            kind::RENAME => {
                let to = at(&from.text()?);
                self.access.ask(move |files| files.rename(&path, &to, false)).await?;
            }
            kind::SYMLINK => {
                // OpenSSH has the words in this order, and all do as it does.
                let (link, target) = (at(&from.text()?), PathBuf::from(word));
                let owner = Owner { uid: Some(0), gid: Some(0), mode: None };
                self.access.ask(move |files| files.make_link(&link, &target, owner)).await?;
            }
            _ => return Err(Refused::Unsupported),
        }
        Ok(())
    }

    async fn extended(&mut self, name: &str, mut from: Reader<'_>) -> Result<(), Refused> {
        match name {
            "posix-rename@openssh.com" => {
                let (path, to) = (at(&from.text()?), at(&from.text()?));
                self.access.ask(move |files| files.rename(&path, &to, true)).await?;
            }
            "fsync@openssh.com" => {
                let opened = self.handles.file(from.bytes()?).ok_or(Refused::NoHandle)?;
                let file = opened.file.clone();
                blocking("sync a file", move || file.sync_all().map_err(failed("sync"))).await?;
            }
            _ => return Err(Refused::Unsupported),
        }
        Ok(())
    }

    async fn make_folder(&mut self, path: PathBuf, change: Change) -> Result<(), Refused> {
        let mode = change.owner.mode.unwrap_or(0o755);
        let owner = Owner { uid: Some(0), gid: Some(0), mode: Some(mode) };
        let ask = move |files: &Files| match files.look(&path, false) {
            Ok(_) => Err(runtime::Error::Step {
                operation: "make".into(),
                object: path.display().to_string(),
                source: Errno::EXIST.into(),
            }),
            Err(_) => files.make_folder(&path, owner),
        };
        Ok(self.access.ask(ask).await?)
    }

    async fn look(&mut self, request: u32, path: String, follow: bool) -> Answered {
        let path = at(&path);
        let seen = self.access.ask(move |files| files.look(&path, follow)).await?;
        Ok(attributes(request, &seen, true))
    }

    async fn resolve(&mut self, request: u32, path: String) -> Answered {
        let path = at(&path);
        let found = self.access.ask(move |files| files.resolve(&path)).await?;
        let mut answer = Writer::new(kind::NAME, request);
        answer.number(1).bytes(found.as_bytes()).bytes(found.as_bytes()).number(0);
        Ok(answer)
    }

    async fn link(&mut self, request: u32, path: String) -> Answered {
        let path = at(&path);
        let found = self.access.ask(move |files| files.link(&path)).await?;
        let mut answer = Writer::new(kind::NAME, request);
        answer.number(1).bytes(found.as_bytes()).bytes(found.as_bytes()).number(0);
        Ok(answer)
    }
}

/// A path from the root on: there is no other folder to begin in.
pub(super) fn at(path: &str) -> PathBuf {
    PathBuf::from("/").join(path)
}

pub(super) fn attributes(request: u32, seen: &Seen, owned: bool) -> Writer {
    let mut answer = Writer::new(kind::ATTRS, request);
    answer.seen(seen, owned);
    answer
}

pub(super) fn failed(verb: &'static str) -> impl FnOnce(std::io::Error) -> crate::Error {
    crate::Error::file(verb, "a file that is open".as_ref())
}
