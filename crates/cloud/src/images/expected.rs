//! Images that another server is to bring. A client that may take one in asks for a token, and hands it to the server
//! that has the image ([`super::push`] there): that one need not be trusted here.
//!
//! ```text
//! client ─ describes it ─> token ─ the other server brings it with the files ─> image, as the client described it
//! ```

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tasks::Operation;
use wire::ImagesPost;

use super::{
    Upload,
    import::{self, Import},
};
use crate::{
    Caller, Error, Result, World,
    certificates::tokens::{self, Token},
    db::images as rows,
};

/// What tells these tokens from others.
const KIND: &str = "push";
/// How long one waits for the image.
const GOOD: TimeDelta = TimeDelta::hours(1);
/// Digits of a fingerprint.
const DIGITS: usize = 64;

/// An image that may be brought.
#[derive(Serialize, Deserialize)]
pub struct Expected {
    project: String,
    post: ImagesPost,
}

/// Makes a token for the image that `post` describes. The operation goes on until somebody brings it, or it is out of
/// date.
pub fn expect(
    world: &World,
    caller: &Caller,
    project: &str,
    mut post: ImagesPost,
) -> Result<Operation> {
    import::check_aliases(&post)?;
    let fingerprint = &mut post.source.get_or_insert_default().fingerprint;
    fingerprint.make_ascii_lowercase();
    if fingerprint.len() != DIGITS || !fingerprint.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let why = format!("\"{fingerprint}\": {DIGITS} hexadecimal digits");
        return Err(Error::invalid("fingerprint", why));
    }
    world.store.read(|db| match rows::get(db, &super::home(db, project)?, fingerprint)? {
        Some(_) => Err(Error::exists("image", fingerprint)),
        None => Ok(()),
    })?;
    let expected = Expected { project: project.to_owned(), post };
    tokens::make(
        world,
        Token {
            caller,
            resource: ("images", "/1.0/images"),
            fingerprint: world.identity()?.fingerprint(),
            addresses: crate::server::addresses(world)?,
            until: Some(clock::utc() + GOOD),
            metadata: vec![(KIND, json!(expected))],
        },
    )
}

/// The image that a secret is for, which is of no use any more; its fingerprint and project must be these.
pub fn spend(world: &World, project: &str, fingerprint: &str, secret: &str) -> Result<Expected> {
    let token = tokens::find(world, KIND, secret)?;
    let told = token.metadata(KIND).and_then(|told| serde_json::from_value::<Expected>(told).ok());
    let same = |expected: &Expected| {
        let source = expected.post.source.as_ref();
        expected.project == project
            && source.is_some_and(|source| source.fingerprint.eq_ignore_ascii_case(fingerprint))
    };
    let expected = told.filter(same).ok_or(Error::Forbidden)?;
    // Whoever spends it first has it.
    Some(expected).filter(|_| token.spend()).ok_or(Error::Forbidden)
}

/// Takes in an image that was expected. Whoever brought it may wait for the end by the secret.
pub fn receive(
    world: &World,
    caller: &Caller,
    (expected, secret): (Expected, &str),
    (upload, arrived): (Upload, ImagesPost),
) -> Result<Operation> {
    let Expected { project, mut post } = expected;
    if post.filename.is_empty() {
        post.filename = arrived.filename;
    }
    let request = import::request(caller, &project).metadata("secret", secret);
    world.submit(Import::new(world, caller, &project, upload, post)?, request)
}
