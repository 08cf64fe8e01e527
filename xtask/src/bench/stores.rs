//! Snapshots, copies and exports of an instance, in turns.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::figures::{Column, Figure, Figures};
use super::lives::columns;
use super::peer::{Client, Peer};
use super::place::Place;
use super::say;
use crate::shell;

/// The pool that both make, in a file on the same disk.
const POOL: [&str; 5] = ["storage", "create", "fast", "btrfs", "size=6GiB"];
/// Whose files are copied, on that pool and on the usual one.
const INSTANCES: [(&str, &str); 2] = [("busy", "fast"), ("still", "default")];

pub(super) fn measure(
    peers: &[Peer],
    place: &Place,
    runs: usize,
    figures: &mut Figures,
) -> Result<()> {
    for peer in peers {
        peer.must(Client::Stock, &POOL)?;
        for (name, pool) in INSTANCES {
            peer.must(Client::Stock, &["launch", "debian", name, "--storage", pool])?;
        }
        peer.must(Client::Stock, &["stop", "--force", "still"])?;
    }
    let all: Vec<(&Peer, Client, Column)> = peers.iter().flat_map(columns).collect();
    for run in 0..runs {
        say(&format!("snapshots, copies, exports, run {} of {runs}", run + 1));
        for turn in 0..all.len() {
            let (peer, client, column) = all[(run + turn) % all.len()];
            Turn { peer, client, column, figures }.take(place.path())?;
        }
    }
    for peer in peers {
        peer.must(Client::Stock, &["delete", "--force", "busy"])?;
    }
    Ok(())
}

struct Turn<'a> {
    peer: &'a Peer,
    client: Client,
    column: Column,
    figures: &'a mut Figures,
}

impl Turn<'_> {
    fn take(&mut self, folder: &Path) -> Result<()> {
        self.timed(Figure::Snapshot, &["snapshot", "busy", "one"])?;
        self.timed(Figure::Copy, &["copy", "busy/one", "copied", "--storage", "fast"])?;
        self.peer.must(self.client, &["delete", "busy/one"])?;
        self.peer.must(self.client, &["delete", "copied"])?;
        let file = folder.join("export.tar");
        forget_files()?;
        let path = file.to_string_lossy();
        self.timed(Figure::Export, &["export", "still", &path, "--compression", "none"])?;
        fs::remove_file(&file).context("remove an export")
    }

    fn timed(&mut self, figure: Figure, words: &[&str]) -> Result<()> {
        let taken = self.peer.timed(self.client, words)?;
        self.figures.of(figure, self.column).add_time(taken);
        Ok(())
    }
}

/// What is read next comes from the disk.
pub(super) fn forget_files() -> Result<()> {
    shell::succeeds(&mut shell::command("sync", &[]))?;
    fs::write("/proc/sys/vm/drop_caches", "3").context("drop the kernel's caches")
}
