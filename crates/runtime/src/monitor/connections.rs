//! Daemons (or tools) that are connected.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    net::{SocketFlags, accept_with, sockopt::socket_peercred},
    process::geteuid,
};

use crate::{
    error::{Fault, Result},
    protocol::{Reply, packet},
};

/// Names a connection, never used again.
pub(super) type Id = u64;

/// One connection.
struct Connection {
    id: Id,
    socket: OwnedFd,
    watches: bool,
}

#[derive(Default)]
pub(super) struct Connections {
    all: Vec<Connection>,
    last: Id,
}

impl Connections {
    /// Takes whoever waits; only our own user is let in.
    pub(super) fn accept(&mut self, listener: BorrowedFd) {
        while let Ok(socket) = accept_with(listener, SocketFlags::CLOEXEC) {
            if socket_peercred(&socket).is_ok_and(|peer| peer.uid == geteuid()) {
                self.last += 1;
                self.all.push(Connection { id: self.last, socket, watches: false });
            }
        }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (Id, BorrowedFd<'_>)> {
        self.all.iter().map(|connection| (connection.id, connection.socket.as_fd()))
    }

    pub(super) fn get(&self, id: Id) -> Option<BorrowedFd<'_>> {
        self.each().find(|(other, _)| *other == id).map(|(_, socket)| socket)
    }

    pub(super) fn close(&mut self, id: Id) {
        self.all.retain(|connection| connection.id != id);
    }

    pub(super) fn watch(&mut self, id: Id) {
        for connection in self.all.iter_mut().filter(|it| it.id == id) {
            connection.watches = true;
        }
    }

    /// Never waits: who does not read is cut off.
    pub(super) fn reply(&mut self, id: Id, reply: &Reply, fds: &[OwnedFd]) {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let sent = self.get(id).map(|socket| packet::send(socket, reply, &fds, false));
        if sent.is_some_and(|sent| sent.is_err()) {
            self.close(id);
        }
    }

    pub(super) fn done(&mut self, id: Id, result: Result<()>) {
        match result {
            Ok(()) => self.reply(id, &Reply::Done, &[]),
            Err(error) => self.failed(id, Fault::from(&error)),
        }
    }

    pub(super) fn failed(&mut self, id: Id, fault: Fault) {
        self.reply(id, &Reply::Failed { fault }, &[]);
    }

    /// To everyone who watches.
    pub(super) fn tell(&mut self, event: &Reply) {
        let ids: Vec<_> = self.all.iter().filter(|it| it.watches).map(|it| it.id).collect();
        for id in ids {
            self.reply(id, event, &[]);
        }
    }
}
