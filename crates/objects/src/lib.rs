//! Objects in a folder: names of any kind, each with contents, attributes and tags. What a bucket is made of;
//! nothing here knows S3's protocol, users or pools.
//!
//! ```text
//! index.db          what objects there are (SQLite); small ones are in it whole
//! names.log         the same once more, from which a lost index is made anew
//! incoming/<blob>   contents that are being written, and those that were named a moment ago
//! blobs/<xx>/<blob> contents of all other objects
//! ```
//! A put writes its contents into `incoming/`, syncs file and folder, and then names them in one transaction of
//! the index, which is synced too. So it is durable when it returns, and a crash leaves the old object or the new
//! one, whole. What is in `incoming/` without a name, and what lost its name, goes at the next open. Why:
//! `docs/decisions/buckets.md`.
//!
//! All calls block: they are for threads that may.

mod batch;
mod blob;
mod copy;
mod delete;
mod draft;
mod error;
mod expire;
mod export;
mod get;
mod hash;
mod index;
mod list;
mod multipart;
mod names;
mod object;
mod put;
mod rebuild;
mod restore;
mod settings;
mod store;
mod tags;
mod verify;
mod versions;

#[cfg(test)]
mod tests;

pub use self::{
    draft::{Draft, Written},
    error::{Error, Result},
    expire::{Due, Expired, Rule},
    export::Frozen,
    get::Reader,
    list::{Page, Query},
    multipart::{Part, Upload},
    object::{Attributes, NULL, Object, Tags},
    put::New,
    restore::{CONTENTS, NAMES, is_blob, restore},
    store::Store,
    verify::{Damaged, verify},
    versions::{After, Deleted, Versioning},
};

/// Bytes of the longest key, as S3 has it.
pub const LONGEST_KEY: usize = 1024;
/// Bytes of the smallest part of an object in parts, but for the last one, as S3 has it.
pub const SMALLEST_PART: u64 = 5 << 20;
/// The highest number of a part, as S3 has it.
pub const MOST_PARTS: u32 = 10_000;
