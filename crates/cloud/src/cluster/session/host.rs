//! The member's end of a session: it finds out whether a guest knows the words, and gives it a token.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::STANDARD};
use tls::{Ends, Exchange, Side};
use uuid::Uuid;
use wire::{ClusterMemberConfigKey, SessionElement, SessionHello, SessionProof, SessionWelcome};

use super::{Begun, EXCHANGE, Guest, MOST_BEGUN, MOST_WRONG, Session};
use crate::{Caller, Error, Result, World, cluster::token};

/// A guest that shows this certificate begins.
pub fn hello(
    world: &World,
    certificate: Option<&[u8]>,
    post: &SessionHello,
) -> Result<SessionElement> {
    let guest = tls::fingerprint(certificate.ok_or(Error::Forbidden)?);
    let element = decoded("element", &post.element)?;
    world.cluster.sessions.with(|session| {
        let ends = Ends { guest: &guest, host: &session.fingerprint };
        let exchange = Exchange::host(&session.words, ends);
        let (number, own) = (Uuid::new_v4(), STANDARD.encode(exchange.element()));
        // One that begins again means the new one.
        session.begun.retain(|old| old.at.elapsed() < EXCHANGE && old.fingerprint != guest);
        if session.begun.len() >= MOST_BEGUN {
            session.begun.pop_front();
        }
        let at = Instant::now();
        session.begun.push_back(Begun {
            number,
            exchange,
            element,
            fingerprint: guest.clone(),
            at,
        });
        Ok(SessionElement { exchange: number.to_string(), element: own })
    })
}

/// A guest proves that it knows the words, and gets a token for the name that it says. Each exchange is good for one
/// try; wrong words are counted.
pub fn prove(
    world: &World,
    certificate: Option<&[u8]>,
    from: &str,
    post: &SessionProof,
) -> Result<SessionWelcome> {
    let guest = tls::fingerprint(certificate.ok_or(Error::Forbidden)?);
    let proof = decoded("proof", &post.proof)?;
    let (agreed, host) = world.cluster.sessions.with(|session| {
        let begun = session.take(&post.exchange, &guest)?;
        let agreed = begun.exchange.agree(&begun.element);
        match agreed.filter(|agreed| agreed.is_proof(Side::Guest, &[&post.server_name], &proof)) {
            Some(agreed) => Ok((agreed, session.name.clone())),
            None => Err(session.was_wrong(from, &guest)),
        }
    })?;
    let operation = token::invite(world, &Caller::default(), &post.server_name, &guest)?;
    let cluster_token = token::text(&operation);
    world.cluster.sessions.with(|session| {
        // One that comes again, perhaps with another name, is the same.
        session.guests.retain(|known| known.fingerprint != guest);
        let name = post.server_name.clone();
        session.guests.push(Guest { name, from: from.to_owned(), fingerprint: guest });
        Ok(())
    })?;
    tracing::info!(name = post.server_name, from, "a machine that joins knew the words");
    Ok(SessionWelcome {
        proof: STANDARD.encode(agreed.prove(Side::Host, &[&cluster_token])),
        cluster_token,
        server_name: host,
        member_config: own_keys(world)?,
    })
}

impl Session {
    /// The exchange of that number, if this guest began it; it is used up.
    fn take(&mut self, number: &str, guest: &str) -> Result<Begun> {
        let is = |begun: &Begun| {
            begun.number.to_string() == number
                && begun.fingerprint == guest
                && begun.at.elapsed() < EXCHANGE
        };
        let at = self.begun.iter().position(is);
        at.and_then(|at| self.begun.remove(at)).ok_or(Error::Forbidden)
    }

    fn was_wrong(&mut self, from: &str, guest: &str) -> Error {
        self.wrong += 1;
        let left = MOST_WRONG.saturating_sub(self.wrong);
        tracing::warn!(from, certificate = guest, left, "wrong words to join by");
        if left == 0 {
            self.end("too many wrong words were tried: see who is on this network");
        }
        Error::WrongWords { left }
    }
}

fn decoded(what: &'static str, text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|why| Error::invalid(what, why))
}

/// The keys of pools and networks that this member has its own values of, and so each other one may. Where a pool is
/// in the server's own folder, each server finds one itself.
fn own_keys(world: &World) -> Result<Vec<ClusterMemberConfigKey>> {
    let of = |entity: &'static str| {
        move |(name, key, description)| ClusterMemberConfigKey {
            entity: String::from(entity),
            name,
            key,
            value: String::new(),
            description,
        }
    };
    let root = world.dirs.root().display().to_string();
    let mut keys = Vec::new();
    for (pool, key, words) in crate::storage::local_keys(world)? {
        let value = crate::storage::get(world, &pool)?.config.remove(&key).unwrap_or_default();
        if !value.starts_with(&root) {
            keys.push((pool, key, words));
        }
    }
    let pools = keys.into_iter().map(of("storage-pool"));
    let networks = crate::networks::local_keys(world)?.into_iter().map(of("network"));
    Ok(pools.chain(networks).collect())
}
