//! Who is at the other end, and what it may do.
//!
//! ```text
//! unix socket   its user         everything: whoever may open it is as good as root
//! network       no certificate   what anybody may
//!               a certificate    what `cloud::certificates` says of it, asked anew with each request
//! ```
//! A certificate of the type `metrics` is for `/1.0/metrics` alone.
//! A client that is held to projects may do what is in them. What is shared by all (pools, networks of `default`)
//! it may look at; the server, other projects and who is trusted are not for it (`docs/decisions/trust.md`).

use std::{net::SocketAddr, sync::Arc};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use cloud::{
    Caller, World,
    access::Rights,
    certificates,
    cluster::{CALLER, Place},
};
use http::HeaderMap;
use tokio::net::UnixListener;
use wire::{DEFAULT_PROJECT, Entity, Permission, Requestor, Verb};

use crate::error::{Error, Result};

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// On the unix socket: its user.
    Unix(Option<u32>),
    /// Over the network, over TLS.
    Network(Arc<Visitor>),
}

/// A client that came over the network.
#[derive(Debug)]
pub(crate) struct Visitor {
    from: SocketAddr,
    /// The certificate it showed, and has the key to.
    certificate: Option<Vec<u8>>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Peer {
        Peer::Unix(stream.io().peer_cred().ok().map(|cred| cred.uid()))
    }
}

impl Peer {
    /// One that came over the network.
    pub(crate) fn network(from: SocketAddr, certificate: Option<Vec<u8>>) -> Peer {
        Peer::Network(Arc::new(Visitor { from, certificate }))
    }

    /// As events and logs name it, and what it may do.
    pub(crate) fn caller(&self, world: &World, headers: &HeaderMap) -> Result<Caller> {
        if let Some(member) = self.member(world) {
            return Ok(forwarded(headers).unwrap_or_else(|| of_member(&member)));
        }
        let named = |username, protocol: &str, address| {
            Some(Requestor { username, protocol: protocol.to_owned(), address })
        };
        Ok(match self {
            Peer::Unix(uid) => Caller {
                requestor: named(uid.map(user_name).unwrap_or_default(), "unix", String::from("@")),
                rights: if uid.is_some() { Rights::Everything } else { Rights::Nothing },
            },
            Peer::Network(visitor) => {
                let fingerprint = visitor.certificate.as_deref().map(tls::fingerprint);
                let rights =
                    visitor.certificate.as_deref().map(|der| certificates::rights(world, der));
                Caller {
                    requestor: named(
                        fingerprint.unwrap_or_default(),
                        "tls",
                        visitor.from.to_string(),
                    ),
                    rights: rights.transpose()?.unwrap_or(Rights::Nothing),
                }
            }
        })
    }

    /// The member of our cluster that it is.
    pub(crate) fn member(&self, world: &World) -> Option<Place> {
        world.cluster.links.by_certificate(self.certificate()?)
    }

    /// Where it is, without its port; empty on the unix socket.
    pub(crate) fn from(&self) -> String {
        match self {
            Peer::Unix(_) => String::new(),
            Peer::Network(visitor) => visitor.from.ip().to_canonical().to_string(),
        }
    }

    /// The certificate it showed, if it did.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        match self {
            Peer::Unix(_) => None,
            Peer::Network(visitor) => visitor.certificate.as_deref(),
        }
    }
}

fn forwarded(headers: &HeaderMap) -> Option<Caller> {
    serde_json::from_slice(headers.get(CALLER)?.as_bytes()).ok()
}

/// A member that asks for itself is as good as root: it has the whole database.
fn of_member(member: &Place) -> Caller {
    let (username, address) = (member.name.clone(), member.address.clone());
    let requestor = Requestor { username, protocol: String::from("cluster"), address };
    Caller { requestor: Some(requestor), rights: Rights::Everything }
}

/// Fails unless a caller may do what an endpoint needs, in the project that the request names (none: the default
/// one). Lists, operations, projects and certificates by name look closer themselves.
pub(crate) fn check(
    world: &World,
    caller: &Caller,
    needed: Permission,
    project: Option<&str>,
) -> Result<()> {
    let (verb, entity) = match (&caller.rights, needed) {
        (_, Permission::Untrusted) | (Rights::Everything, _) => return Ok(()),
        (_, Permission::Can(Verb::View, Entity::Metrics)) => {
            return metrics(world, caller, project);
        }
        (Rights::Nothing | Rights::Metrics, _) => return Err(Error::Forbidden),
        (Rights::Projects(_), Permission::Authenticated) => return Ok(()),
        (Rights::Projects(_), Permission::Can(verb, entity)) => (verb, entity),
    };
    let project = project.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_PROJECT);
    match (rule(entity), verb) {
        (Rule::Never, _) => Err(Error::Forbidden),
        (Rule::Look, Verb::View) | (Rule::Closer, _) => Ok(()),
        (Rule::Look, _) => Err(Error::Forbidden),
        (Rule::Within(_), Verb::View) | (Rule::Within(None), _) => Ok(caller.check(project)?),
        (Rule::Within(Some(feature)), _) => {
            caller.check(project)?;
            Ok(caller.check(&cloud::access::home(world, project, feature)?)?)
        }
    }
}

/// Whoever is trusted sees metrics, of its projects; others do if the server says so.
fn metrics(world: &World, caller: &Caller, project: Option<&str>) -> Result<()> {
    match &caller.rights {
        Rights::Everything | Rights::Metrics => Ok(()),
        Rights::Projects(_) => Ok(caller.check_named(project.unwrap_or_default())?),
        Rights::Nothing if cloud::metrics::are_private(world)? => Err(Error::Forbidden),
        Rights::Nothing => Ok(()),
    }
}

/// What a client that is held to projects may do with a kind of thing.
enum Rule {
    /// Nothing.
    Never,
    /// Look at it.
    Look,
    /// What the handler allows.
    Closer,
    /// Anything in its projects. With a feature: if the thing lives there, and is not only seen from there.
    Within(Option<&'static str>),
}

fn rule(entity: Entity) -> Rule {
    match entity {
        Entity::Server | Entity::Warning | Entity::Metrics => Rule::Never,
        Entity::StoragePool => Rule::Look,
        Entity::Project | Entity::Certificate | Entity::Operation => Rule::Closer,
        Entity::Instance => Rule::Within(None),
        Entity::Image | Entity::ImageAlias => Rule::Within(Some("features.images")),
        Entity::Profile => Rule::Within(Some("features.profiles")),
        Entity::Network => Rule::Within(Some("features.networks")),
        Entity::StorageVolume => Rule::Within(Some("features.storage.volumes")),
        Entity::StorageBucket => Rule::Within(Some("features.storage.buckets")),
    }
}

/// Fails unless a caller may do anything at all.
pub(crate) fn administrator(caller: &Caller) -> Result<()> {
    if caller.rights == Rights::Everything { Ok(()) } else { Err(Error::Forbidden) }
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
