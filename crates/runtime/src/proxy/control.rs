//! The proxy's side of what a daemon wants of it: what it is, and its end.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::{
    fs::{AtFlags, unlinkat},
    net::{
        AddressFamily, SocketFlags, SocketType, accept_with, bind, listen as listen_at,
        socket_with, sockopt,
    },
};
use serde::{Deserialize, Serialize};
use spec::ProxySpec;

use super::client::{address, file_name};
use crate::{
    error::{At, Result},
    protocol::packet,
};

/// Only a daemon reaches this socket, and says at once what it wants.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a daemon wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request")]
pub(super) enum Wish {
    /// To know what it is.
    Tell,
    /// That it ends: the connection's end says that it did.
    End,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) proxy: ProxySpec,
}

/// Makes the socket, in place of one that was left over.
pub(super) fn listen(run_dir: &Path, device: &str) -> Result<OwnedFd> {
    let folder = super::open(run_dir)?;
    let name = file_name(device);
    let _ = unlinkat(&folder, name.as_str(), AtFlags::empty());
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).at("make", &name)?;
    bind(&socket, &address(folder.as_fd(), &name).at("name", &name)?).at("bind", &name)?;
    listen_at(&socket, 16).at("listen on", &name)?;
    Ok(socket)
}

/// Answers one who came; gives the connection of who wants it to end.
pub(super) fn answer(control: &OwnedFd, proxy: &ProxySpec) -> Option<OwnedFd> {
    let connection = accept_with(control, SocketFlags::CLOEXEC).ok()?;
    sockopt::set_socket_timeout(&connection, sockopt::Timeout::Recv, Some(PATIENCE)).ok()?;
    match packet::recv::<Wish>(connection.as_fd()) {
        Ok(Some((Wish::End, _))) => Some(connection),
        Ok(Some((Wish::Tell, _))) => {
            let told = Told { proxy: proxy.clone() };
            let _ = packet::send(connection.as_fd(), &told, &[], false);
            None
        }
        _ => None,
    }
}
