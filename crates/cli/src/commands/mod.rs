//! The commands, one file a noun or verb.

pub(crate) mod alias;
pub(crate) mod backup;
mod between;
pub(crate) mod bucket;
pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod database;
pub(crate) mod delete;
pub(crate) mod device;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod file;
pub(crate) mod image;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod metadata;
mod mode;
pub(crate) mod monitor;
pub(crate) mod network;
pub(crate) mod operation;
pub(crate) mod profile;
pub(crate) mod project;
pub(crate) mod publish;
pub(crate) mod query;
pub(crate) mod rebuild;
pub(crate) mod recover;
mod relay;
pub(crate) mod relocate;
pub(crate) mod remote;
pub(crate) mod rename;
mod screen;
pub(crate) mod shutdown;
pub(crate) mod snapshot;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod storage;
pub(crate) mod template;
mod tokens;
pub(crate) mod top;
pub(crate) mod trust;
pub(crate) mod uefi;
pub(crate) mod version;
pub(crate) mod volume;
pub(crate) mod wait;
pub(crate) mod warning;

use std::future::Future;

use futures_util::{StreamExt, stream};

use crate::error::{self, Error, Result};

/// The exit status of success.
pub(crate) const OK: u8 = 0;

/// How many things are worked on at once.
const AT_ONCE: usize = 16;

/// Does the same with many things, several at once; one that fails does not stop the others.
pub(crate) async fn each<F: Future<Output = Result<()>>>(
    names: Vec<String>,
    action: impl Fn(String) -> F,
) -> Result<()> {
    some_at_once(AT_ONCE, names, action).await
}

/// The same with no more than so many at once.
pub(crate) async fn some_at_once<F: Future<Output = Result<()>>>(
    most: usize,
    names: Vec<String>,
    action: impl Fn(String) -> F,
) -> Result<()> {
    let total = names.len();
    let outcomes = stream::iter(names).map(|name| {
        let outcome = action(name.clone());
        async move { (name, outcome.await) }
    });
    let outcomes: Vec<_> = outcomes.buffered(most).collect().await;
    let mut failed: Vec<_> =
        outcomes.into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?))).collect();
    if total == 1
        && let Some((_, error)) = failed.pop()
    {
        return Err(error);
    }
    if failed.is_empty() {
        return Ok(());
    }
    let line = |(name, error): &(String, Error)| {
        let text = error::text(error);
        format!("  {name}: {}", text.trim_start_matches("Error: ").trim_end())
    };
    Err(Error::Several { failed: failed.len(), total, lines: failed.iter().map(line).collect() })
}
