//! The list of endpoints: one small type each, made by the macro `endpoints!` in one file a resource.
//!
//! The router, the client, the OpenAPI document and the tests of permissions and coverage walk [`ENDPOINTS`] or
//! take an [`Endpoint`] as a type parameter. To add an endpoint: add an entry here, a handler in the crate `api`,
//! and run the tests with `UPDATE_EXPECT=1`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

#[macro_use]
mod declare;

mod permission;

pub mod bucket_backups;
pub mod buckets;
pub mod certificates;
pub mod cluster;
pub mod database;
pub mod files;
pub mod images;
pub mod instance_backups;
pub mod instance_metadata;
pub mod instance_snapshots;
pub mod instances;
pub mod networks;
pub mod operations;
pub mod profiles;
pub mod projects;
pub mod recover;
pub mod server;
pub mod session;
pub mod storage;
pub mod volume_backups;
pub mod volume_snapshots;
pub mod volumes;
pub mod warnings;

pub use self::permission::{Entity, Permission, Verb};

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Look.
    Get,
    /// Look at the headers alone.
    Head,
    /// Make, rename, act.
    Post,
    /// Replace.
    Put,
    /// Change in part.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// The word in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At once, in an envelope.
    Sync,
    /// With an operation (HTTP 202).
    Async,
    /// With a file, not in an envelope.
    Raw,
    /// By becoming a websocket.
    Websocket,
}

/// One endpoint. `Body` is [`Empty`](crate::Empty) when there is none; `Reply` is what `metadata` holds.
pub trait Endpoint: 'static {
    /// Its method.
    const METHOD: Method;
    /// Its path, such as `/1.0/instances/{name}`.
    const PATH: &'static str;
    /// What the client must be allowed to do.
    const NEEDS: Permission;
    /// The API extension that brought it; empty for the first version of the API.
    const SINCE: &'static str;
    /// How it answers.
    const KIND: Kind;
    /// What it does, in a sentence.
    const ABOUT: &'static str;
    /// Whether it also takes a file (`application/octet-stream` or `multipart/form-data`) as its body.
    const UPLOAD: bool;
    /// What may stand behind the `?`.
    type Query: Serialize + DeserializeOwned + Default + JsonSchema + Send;
    /// What is sent.
    type Body: Serialize + DeserializeOwned + JsonSchema + Send;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send;
}

/// An endpoint as data.
#[derive(Clone, Copy)]
pub struct Info {
    /// Name of its type.
    pub name: &'static str,
    /// See [`Endpoint::METHOD`].
    pub method: Method,
    /// See [`Endpoint::PATH`].
    pub path: &'static str,
    /// See [`Endpoint::NEEDS`].
    pub needs: Permission,
    /// See [`Endpoint::SINCE`].
    pub since: &'static str,
    /// See [`Endpoint::KIND`].
    pub kind: Kind,
    /// See [`Endpoint::ABOUT`].
    pub about: &'static str,
    /// See [`Endpoint::UPLOAD`].
    pub upload: bool,
    /// Schema of the query.
    pub query: fn(&mut SchemaGenerator) -> Schema,
    /// Schema of the body.
    pub body: fn(&mut SchemaGenerator) -> Schema,
    /// Schema of the reply.
    pub reply: fn(&mut SchemaGenerator) -> Schema,
}

impl Info {
    /// The endpoint `E` as data.
    pub const fn of<E: Endpoint>(name: &'static str) -> Self {
        Self {
            name,
            method: E::METHOD,
            path: E::PATH,
            needs: E::NEEDS,
            since: E::SINCE,
            kind: E::KIND,
            about: E::ABOUT,
            upload: E::UPLOAD,
            query: |generator| generator.subschema_for::<E::Query>(),
            body: |generator| generator.subschema_for::<E::Body>(),
            reply: |generator| generator.subschema_for::<E::Reply>(),
        }
    }
}

/// The path of `E` with its parameters filled in, each percent-encoded. Missing ones stay empty.
///
/// ```
/// # use wire::endpoints::{instances::InstanceGet, path};
/// assert_eq!(path::<InstanceGet>(&["a/b"]), "/1.0/instances/a%2Fb");
/// ```
pub fn path<E: Endpoint>(parameters: &[&str]) -> String {
    let mut parameters = parameters.iter();
    let mut filled = String::new();
    for part in E::PATH.split('/').skip(1) {
        filled.push('/');
        if part.starts_with('{') {
            escape(parameters.next().copied().unwrap_or_default(), &mut filled);
        } else {
            filled.push_str(part);
        }
    }
    filled
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// The list of each resource.
const GROUPS: [&[Info]; 23] = [
    server::LIST,
    certificates::LIST,
    cluster::LIST,
    session::LIST,
    operations::LIST,
    instances::LIST,
    instance_backups::LIST,
    instance_metadata::LIST,
    instance_snapshots::LIST,
    files::LIST,
    images::LIST,
    profiles::LIST,
    projects::LIST,
    networks::LIST,
    storage::LIST,
    buckets::LIST,
    bucket_backups::LIST,
    volumes::LIST,
    volume_backups::LIST,
    recover::LIST,
    database::LIST,
    volume_snapshots::LIST,
    warnings::LIST,
];

const COUNT: usize = {
    let (mut total, mut group) = (0, 0);
    while group < GROUPS.len() {
        total += GROUPS[group].len();
        group += 1;
    }
    total
};

static ALL: [Info; COUNT] = {
    let mut all = [GROUPS[0][0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut item = 0;
        while item < GROUPS[group].len() {
            all[at] = GROUPS[group][item];
            at += 1;
            item += 1;
        }
        group += 1;
    }
    all
};

/// Every endpoint that is served.
pub static ENDPOINTS: &[Info] = &ALL;
