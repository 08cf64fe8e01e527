//! Who is at the other end, and what it may do.

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use cloud::Caller;
use tokio::net::UnixListener;
use wire::{Permission, Requestor};

/// The other end of a connection on the unix socket: its user. Whoever may open the socket (root
/// and the socket's group) may do everything, as with LXD.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Peer {
        Peer { uid: stream.io().peer_cred().ok().map(|cred| cred.uid()) }
    }
}

impl Peer {
    /// As events and logs name it.
    pub(crate) fn caller(&self) -> Caller {
        let username = self.uid.map(user_name).unwrap_or_default();
        let protocol = String::from("unix");
        Caller { requestor: Some(Requestor { username, protocol, address: String::from("@") }) }
    }

    /// Whether it may do what an endpoint needs.
    pub(crate) fn may(&self, needed: Permission) -> bool {
        match needed {
            Permission::Untrusted => true,
            Permission::Authenticated | Permission::Can(..) => self.uid.is_some(),
        }
    }
}

/// The user's name, or its number where the machine does not know it.
fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| uid.to_string())
}
