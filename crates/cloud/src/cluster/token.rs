//! Tokens with which servers join: as those of clients, an operation that waits to be spent.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use options::{Options, server::ServerOptions};
use serde_json::Value;
use tasks::Operation;
use wire::{ClusterMemberJoinToken, ClusterMemberPut, ClusterMembersPost};

use super::{clustered, enable::check_name};
use crate::{
    Caller, Error, Result, World,
    certificates::tokens::{self, Token},
    db::{members as rows, server},
};

/// The key of a token that only the server may spend which has this certificate: SHA-256 of it.
pub(super) const HOLDER: &str = "certificate";

/// The key of a token whose server is to be what another was: the changeable part of that member.
pub(super) const LIKE: &str = "like";

/// How long a token is good that a server gets for itself: it spends it at once.
const AT_ONCE: TimeDelta = TimeDelta::minutes(5);

/// Makes a token for the server that is to have this name.
pub fn token(world: &World, caller: &Caller, post: &ClusterMembersPost) -> Result<Operation> {
    let options =
        world.store.read(|db| Ok::<_, Error>(ServerOptions::parse_known(&server::get(db)?)?))?;
    let until = options.join_token_expiry.and_then(|span| span.after(clock::utc()));
    make(world, caller, &post.server_name, until, None)
}

/// Makes a token for the server that is to be what a member was that is gone for good.
pub(super) fn heir(
    world: &World,
    caller: &Caller,
    name: &str,
    like: &ClusterMemberPut,
) -> Result<Operation> {
    let options =
        world.store.read(|db| Ok::<_, Error>(ServerOptions::parse_known(&server::get(db)?)?))?;
    let until = options.join_token_expiry.and_then(|span| span.after(clock::utc()));
    make(world, caller, name, until, Some((LIKE, serde_json::json!(like))))
}

/// Makes a token that is good for a moment, for a server that is to have this name and has this certificate.
pub(super) fn invite(
    world: &World,
    caller: &Caller,
    name: &str,
    fingerprint: &str,
) -> Result<Operation> {
    make(world, caller, name, Some(clock::utc() + AT_ONCE), Some((HOLDER, fingerprint.into())))
}

/// A token as it is handed on.
pub(super) fn text(operation: &Operation) -> String {
    let said = |key: &str| operation.metadata(key).unwrap_or_default();
    let plain = |key: &str| said(key).as_str().unwrap_or_default().to_owned();
    let token = ClusterMemberJoinToken {
        server_name: plain("serverName"),
        fingerprint: plain("fingerprint"),
        addresses: serde_json::from_value(said("addresses")).unwrap_or_default(),
        secret: plain("secret"),
        expires_at: serde_json::from_value(said("expiresAt")).unwrap_or_default(),
    };
    STANDARD.encode(serde_json::json!(token).to_string())
}

fn make(
    world: &World,
    caller: &Caller,
    name: &str,
    until: Option<DateTime<Utc>>,
    more: Option<(&'static str, Value)>,
) -> Result<Operation> {
    clustered(world)?;
    check_name(name)?;
    let members = world.store.read(|db| match rows::get(db, name)? {
        Some(row) if row.part != rows::Part::Joining => Err(Error::exists("cluster member", name)),
        _ => Ok(rows::all(db)?),
    })?;
    let me = world.store.status().me;
    let here = members.iter().filter(|member| member.id == me);
    let addresses: Vec<String> = here.map(|member| member.address.clone()).collect();
    tokens::make(
        world,
        Token {
            caller,
            resource: ("cluster", "/1.0/cluster"),
            fingerprint: world.identity()?.fingerprint(),
            addresses,
            until,
            metadata: [("serverName", name.into())].into_iter().chain(more).collect(),
        },
    )
}
