//! Tokens with which servers join: as those of clients, an operation that waits to be spent.

use chrono::Utc;
use options::{Options, server::ServerOptions};
use tasks::Operation;
use wire::ClusterMembersPost;

use super::{clustered, enable::check_name};
use crate::{
    Caller, Error, Result, World,
    certificates::tokens::{self, Token},
    db::{members as rows, server},
};

/// Makes a token for the server that is to have this name.
pub fn token(world: &World, caller: &Caller, post: &ClusterMembersPost) -> Result<Operation> {
    clustered(world)?;
    check_name(&post.server_name)?;
    let (options, members) = world.store.read(|db| {
        match rows::get(db, &post.server_name)? {
            Some(row) if row.part != rows::Part::Joining => {
                return Err(Error::exists("cluster member", &post.server_name));
            }
            _ => {}
        }
        Ok::<_, Error>((ServerOptions::parse(&server::get(db)?)?, rows::all(db)?))
    })?;
    let me = world.store.status().me;
    let here = members.iter().filter(|member| member.id == me);
    let addresses: Vec<String> = here.map(|member| member.address.clone()).collect();
    let until = options.join_token_expiry.and_then(|span| span.after(Utc::now()));
    tokens::make(
        world,
        Token {
            caller,
            resource: ("cluster", "/1.0/cluster"),
            fingerprint: world.identity()?.fingerprint(),
            addresses,
            until,
            metadata: vec![("serverName", post.server_name.clone().into())],
        },
    )
}
