//! The daemon's end.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::net::{
    Shutdown, shutdown,
    sockopt::{Timeout, set_socket_timeout},
};

use super::words::{Ask, Change, Entry, FileKind, Owner, Seen, Told, Writing};
use crate::{
    error::{At, Error, Result},
    protocol::packet,
};

/// A file system inside that does not answer for so long is given up on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file inside, open.
pub type File = std::fs::File;

/// The files of one instance. It answers one request at a time; what was written to replace a file
/// and not committed is gone with it.
#[derive(Debug)]
pub struct Files {
    socket: OwnedFd,
}

impl Files {
    /// A pair: the handle, and what [`super::serve`] is to be called with.
    pub fn pair() -> Result<(Files, OwnedFd)> {
        let (ours, theirs) = packet::pair()?;
        Ok((Files::at(ours)?, theirs))
    }

    pub(crate) fn at(socket: OwnedFd) -> Result<Files> {
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).at("limit", "socket")?;
        Ok(Files { socket })
    }

    /// What is there; with `follow` where a link leads.
    pub fn look(&self, path: &Path, follow: bool) -> Result<Seen> {
        let ask = Ask::Look { path: path.into(), follow };
        match self.ask("look at", path, &ask)?.0 {
            Told::Seen { seen } => Ok(seen),
            _ => Err(Error::Unsupported),
        }
    }

    /// The names in a folder, sorted.
    pub fn list(&self, path: &Path) -> Result<Vec<Entry>> {
        match self.ask("list", path, &Ask::List { path: path.into() })?.0 {
            Told::List { entries } => Ok(entries),
            _ => Err(Error::Unsupported),
        }
    }

    /// Where a link leads, as it says.
    pub fn link(&self, path: &Path) -> Result<String> {
        self.path("read", path, &Ask::Link { path: path.into() })
    }

    /// A path in order: no `.`, no `..`.
    pub fn resolve(&self, path: &Path) -> Result<String> {
        self.path("resolve", path, &Ask::Resolve { path: path.into() })
    }

    /// Opens a regular file for reading.
    pub fn read(&self, path: &Path) -> Result<File> {
        self.file("read", path, &Ask::Read { path: path.into() })
    }

    /// Opens a regular file for writing; [`Writing::Replace`] needs a [`Files::commit`].
    pub fn write(&self, path: &Path, how: Writing, owner: Owner) -> Result<File> {
        self.file("write", path, &Ask::Write { path: path.into(), how, owner })
    }

    /// Lets what was written take its place.
    pub fn commit(&self, path: &Path) -> Result<()> {
        self.done("write", path, &Ask::Commit)
    }

    /// Makes a folder; one that is there is fine.
    pub fn make_folder(&self, path: &Path, owner: Owner) -> Result<()> {
        self.done("make", path, &Ask::MakeFolder { path: path.into(), owner })
    }

    /// Makes a symbolic link, in place of one that is there.
    pub fn make_link(&self, path: &Path, target: &Path, owner: Owner) -> Result<()> {
        self.done("make", path, &Ask::MakeLink { path: path.into(), target: target.into(), owner })
    }

    /// Renames something.
    pub fn rename(&self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        self.done("rename", from, &Ask::Rename { from: from.into(), to: to.into(), replace })
    }

    /// Removes a file, a link or an empty folder; with `kind` only such a thing.
    pub fn remove(&self, path: &Path, kind: Option<FileKind>) -> Result<()> {
        self.done("remove", path, &Ask::Remove { path: path.into(), kind })
    }

    /// Changes owner, permissions, size, times.
    pub fn change(&self, path: &Path, change: &Change) -> Result<()> {
        self.done("change", path, &Ask::Change { path: path.into(), change: *change })
    }

    fn done(&self, verb: &'static str, path: &Path, ask: &Ask) -> Result<()> {
        self.ask(verb, path, ask).map(drop)
    }

    fn path(&self, verb: &'static str, path: &Path, ask: &Ask) -> Result<String> {
        match self.ask(verb, path, ask)?.0 {
            Told::Path { path } => Ok(path.to_string_lossy().into_owned()),
            _ => Err(Error::Unsupported),
        }
    }

    fn file(&self, verb: &'static str, path: &Path, ask: &Ask) -> Result<File> {
        let (_, fds) = self.ask(verb, path, ask)?;
        fds.into_iter().next().map(File::from).ok_or(Error::Unsupported)
    }

    fn ask(&self, verb: &'static str, path: &Path, ask: &Ask) -> Result<(Told, Vec<OwnedFd>)> {
        packet::send(self.socket.as_fd(), ask, &[], true)?;
        let told = packet::recv::<Told>(self.socket.as_fd()).inspect_err(|_| {
            // An answer that comes late must not be taken for that of the next request.
            let _ = shutdown(&self.socket, Shutdown::Both);
        });
        match told? {
            None => Err(Error::Gone),
            Some((Told::Failed { errno }, _)) => {
                Err(io::Error::from_raw_os_error(errno)).at(verb, path)
            }
            Some(answer) => Ok(answer),
        }
    }
}
