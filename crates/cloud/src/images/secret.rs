//! Secrets that let a stranger have a private image, once.

use chrono::TimeDelta;
use serde_json::json;
use tasks::Operation;

use crate::{
    Caller, Error, Result, World,
    certificates::tokens::{self, Token},
};

/// What tells these tokens from others: the fingerprint of the image.
const KIND: &str = "image";
/// How long one waits for whoever gets it.
const GOOD: TimeDelta = TimeDelta::hours(1);

/// Makes one. The operation goes on until the image was fetched with it, or it is out of date.
pub fn make(world: &World, caller: &Caller, project: &str, fingerprint: &str) -> Result<Operation> {
    let row = world.store.read(|db| super::find(db, project, fingerprint))?;
    tokens::make(
        world,
        Token {
            caller,
            resource: ("images", "/1.0/images"),
            fingerprint: world.identity()?.fingerprint(),
            addresses: crate::server::addresses(world)?,
            until: Some(clock::utc() + GOOD),
            metadata: vec![(KIND, json!(row.fingerprint))],
        },
    )
}

/// Fails where a secret is not one of that image.
pub fn check(world: &World, fingerprint: &str, secret: &str) -> Result<()> {
    find(world, fingerprint, secret).map(drop)
}

/// The same, and it is of no use any more.
pub fn spend(world: &World, fingerprint: &str, secret: &str) -> Result<()> {
    match find(world, fingerprint, secret)?.spend() {
        true => Ok(()),
        false => Err(Error::Forbidden),
    }
}

fn find(world: &World, fingerprint: &str, secret: &str) -> Result<Operation> {
    let token = tokens::find(world, KIND, secret)?;
    match token.metadata(KIND) == Some(json!(fingerprint)) {
        true => Ok(token),
        false => Err(Error::Forbidden),
    }
}
