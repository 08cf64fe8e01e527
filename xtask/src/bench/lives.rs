//! Lives of instances, in turns: launch, exec, stop, start, delete.
//!
//! After each life what is dirty goes to disk, so that one daemon does not pay for the other.

use std::time::Instant;

use anyhow::{Context, Result};

use super::figures::{Column, Figure, Figures};
use super::memory::{self, Memory};
use super::peer::{Client, Kind, Peer};
use super::say;
use crate::shell;

/// Once in a life would leave too much to chance.
const EXECS: usize = 5;

/// Ends when systemd is done with starting, or gave up on a part.
const UNTIL_UP: &str = "until state=$(systemctl is-system-running --wait 2>/dev/null) \
                        || [ \"$state\" = degraded ]; do sleep 0.02; done";

/// The same figures for another image.
struct Kinds {
    image: &'static str,
    boots: bool,
    launch: Figure,
    start: Figure,
    exec: Figure,
    stop: Figure,
    delete: Figure,
}

const DEBIAN: Kinds = Kinds {
    image: "debian",
    boots: true,
    launch: Figure::Launch,
    start: Figure::Start,
    exec: Figure::Exec,
    stop: Figure::Stop,
    delete: Figure::Delete,
};

const BUSYBOX: Kinds = Kinds {
    image: "busybox",
    boots: false,
    launch: Figure::SmallLaunch,
    start: Figure::SmallStart,
    exec: Figure::SmallExec,
    stop: Figure::SmallStop,
    delete: Figure::SmallDelete,
};

pub(super) fn measure(peers: &[Peer], runs: usize, figures: &mut Figures) -> Result<()> {
    let lives: Vec<(&Peer, Client, Column)> = peers.iter().flat_map(columns).collect();
    for run in 0..runs {
        say(&format!("lives, run {} of {runs}", run + 1));
        for turn in 0..lives.len() {
            let (peer, client, column) = lives[(run + turn) % lives.len()];
            let mut life = Life { peer, client, column, figures, name: format!("bench-{run}") };
            life.live(&DEBIAN)?;
            life.live(&BUSYBOX)?;
            let version = life.peer.timed(client, &["version"])?;
            life.figures.of(Figure::Client, column).add_time(version);
        }
    }
    Ok(())
}

/// Who drives a peer, and where that is noted.
pub(super) fn columns(peer: &Peer) -> Vec<(&Peer, Client, Column)> {
    match peer.kind {
        Kind::Lxd => vec![(peer, Client::Stock, Column::Lxd)],
        Kind::Ours => {
            vec![(peer, Client::Stock, Column::Ours), (peer, Client::Own, Column::OwnClient)]
        }
    }
}

struct Life<'a> {
    peer: &'a Peer,
    client: Client,
    column: Column,
    figures: &'a mut Figures,
    name: String,
}

impl Life<'_> {
    fn live(&mut self, kinds: &Kinds) -> Result<()> {
        let name = self.name.clone();
        let begin = Instant::now();
        self.timed(kinds.launch, &["launch", kinds.image, &name])?;
        self.wait_up(kinds)?;
        if kinds.boots {
            self.figures.of(Figure::Running, self.column).add_time(begin.elapsed());
            self.memory()?;
        }
        for _ in 0..EXECS {
            self.timed(kinds.exec, &["exec", &name, "--", "true"])?;
        }
        self.timed(kinds.stop, &["stop", "--force", &name])?;
        self.timed(kinds.start, &["start", &name])?;
        self.wait_up(kinds)?;
        self.timed(kinds.stop, &["stop", "--force", &name])?;
        self.timed(kinds.delete, &["delete", &name])?;
        shell::succeeds(&mut shell::command("sync", &[])).map(drop)
    }

    fn timed(&mut self, figure: Figure, words: &[&str]) -> Result<()> {
        let taken = self.peer.timed(self.client, words)?;
        self.figures.of(figure, self.column).add_time(taken);
        Ok(())
    }

    fn wait_up(&self, kinds: &Kinds) -> Result<()> {
        if !kinds.boots {
            return Ok(());
        }
        let words = ["exec", &self.name, "--", "sh", "-c", UNTIL_UP];
        self.peer.must(self.client, &words).context("wait for systemd")
    }

    fn memory(&mut self) -> Result<()> {
        if self.column == Column::OwnClient {
            return Ok(());
        }
        let memory = Memory::of(memory::monitor(&self.name)?)?;
        for (figure, value) in [
            (Figure::MonitorAnonymous, memory.anonymous),
            (Figure::MonitorPrivate, memory.private),
            (Figure::MonitorProportional, memory.proportional),
        ] {
            self.figures.of(figure, self.column).add(value);
        }
        Ok(())
    }
}
