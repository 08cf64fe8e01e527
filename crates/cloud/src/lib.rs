//! What the cloud does: one verb a file, beneath the doors and above the drivers.
//!
//! Verbs take the [`World`], the [`Caller`] and what was asked; they check, change the state in
//! one all-or-nothing write, or submit a task when it takes several steps. Replies have the
//! shapes of `wire`. Nothing here knows HTTP.

pub mod access;
pub mod backups;
mod blocking;
pub mod certificates;
pub mod cluster;
mod compression;
mod copies;
pub mod db;
mod depots;
pub mod devlxd;
mod dirs;
mod disk;
mod error;
pub mod etag;
mod expand;
pub mod files;
mod host;
pub mod images;
pub mod instances;
#[cfg(test)]
mod laws;
pub mod metrics;
mod migration;
pub mod names;
pub mod networks;
pub mod profiles;
pub mod projects;
pub mod reconcile;
pub mod recover;
pub mod server;
mod snapshots;
pub mod storage;
pub mod url;
pub mod volumes;
pub mod warnings;

pub use vm::Error as MachineError;
mod watched;
mod world;

pub use self::{
    dirs::Dirs,
    error::{Error, Result},
    host::Host,
    world::{Caller, Parts, World},
};
