//! The door to buckets for S3 clients: one file a verb over the crate `objects`. The library s3s speaks the
//! protocol and checks signatures; here is what they may do and what is done.
//!
//! ```text
//! door         is open where `core.storage_buckets_address` says, while it says so
//!   serve      a connection: TLS, then HTTP
//!   access     who asks, by the key that signed
//!   rights     may it? by the key's role, the bucket's policy, lists
//!   verbs/     get, put, list, ...: a store of `objects` in the bucket's volume
//! ```
//! Nothing of it is in memory before the option is set. Errors become S3's in [`error`] alone.

mod access;
mod acl;
mod body;
mod convert;
mod cors;
mod door;
mod error;
mod host;
mod policy;
mod rest;
mod rights;
mod serve;
mod service;
mod stores;
mod verbs;

pub use self::door::door;
