//! Answers what is asked about files, until the other end is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::{
    tree::Tree,
    words::{Ask, Told},
    write::Pending,
};
use crate::protocol::packet;

/// Serves the files beneath `root` on one end of a pair; what was begun and not committed is
/// removed at the end.
pub fn serve(root: OwnedFd, socket: BorrowedFd) -> crate::Result<()> {
    let mut server = Server::new(root);
    while let Some((ask, _)) = packet::recv::<Ask>(socket)? {
        let (told, file) = match server.answer(ask) {
            Ok(answer) => answer,
            Err(error) => (Told::Failed { errno: error.raw_os_error() }, None),
        };
        let fds: Vec<_> = file.iter().map(AsFd::as_fd).collect();
        packet::send(socket, &told, &fds, true)?;
    }
    Ok(())
}

/// Answers requests, however they come; what was begun and not committed is removed with it.
pub struct Server {
    tree: Tree,
    pending: Option<Pending>,
}

impl Server {
    /// Of the files beneath `root`, an open folder.
    pub fn new(root: OwnedFd) -> Server {
        Server { tree: Tree { root }, pending: None }
    }

    /// One answer; with the file where one was to be opened.
    pub fn answer(&mut self, ask: Ask) -> Result<(Told, Option<OwnedFd>), Errno> {
        let tree = &self.tree;
        let told = match ask {
            Ask::Look { path, follow } => Told::Seen { seen: tree.look(&path, follow)? },
            Ask::List { path } => Told::List { entries: tree.list(&path)? },
            Ask::Link { path } => Told::Path { path: tree.link(&path)? },
            Ask::Resolve { path } => Told::Path { path: tree.resolve(&path)? },
            Ask::Read { path } => return Ok((Told::Done, Some(tree.read(&path)?))),
            Ask::Write { path, how, owner } => {
                let (file, pending) = tree.write(tree.place(&path, true)?, how, owner)?;
                self.pending = pending;
                return Ok((Told::Done, Some(file)));
            }
            Ask::Commit => {
                self.pending.take().map_or(Ok(()), Pending::commit)?;
                Told::Done
            }
            other => {
                self.change(other)?;
                Told::Done
            }
        };
        Ok((told, None))
    }

    fn change(&self, ask: Ask) -> Result<(), Errno> {
        let tree = &self.tree;
        match ask {
            Ask::MakeFolder { path, owner } => tree.make_folder(&path, owner),
            Ask::MakeLink { path, target, owner } => tree.make_link(&path, &target, owner),
            Ask::Rename { from, to, replace } => tree.rename(&from, &to, replace),
            Ask::Remove { path, kind } => tree.remove(&path, kind),
            Ask::Change { path, change } => tree.change(&path, &change),
            _ => Err(Errno::NOSYS),
        }
    }
}
