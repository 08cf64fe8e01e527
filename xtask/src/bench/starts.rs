//! Starts of the daemons, in turns, and what they keep in memory when they have nothing to do.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::figures::{Column, Figure, Figures};
use super::memory::Memory;
use super::peer::{Kind, Peer};
use super::say;

/// After this a daemon is idle: caches are as they will be, threads for a rush are gone.
const CALM: Duration = Duration::from_secs(8);

pub(super) fn measure(peers: &mut [Peer], runs: usize, figures: &mut Figures) -> Result<()> {
    say("starts of the daemons");
    thread::sleep(CALM);
    for peer in peers.iter() {
        let memory = Memory::of(peer.pid()?)?;
        figures.of(Figure::IdleUsed, column(peer)).add(memory.resident);
        figures.of(Figure::IdleAnonymous, column(peer)).add(memory.anonymous);
    }
    for _ in 0..runs {
        for peer in peers.iter_mut() {
            peer.stop()?;
            let taken = peer.start()?;
            figures.of(Figure::Ready, column(peer)).add_time(taken);
        }
    }
    thread::sleep(CALM);
    for peer in peers.iter() {
        figures.of(Figure::IdleFresh, column(peer)).add(Memory::of(peer.pid()?)?.resident);
    }
    Ok(())
}

pub(super) fn column(peer: &Peer) -> Column {
    if peer.kind == Kind::Ours { Column::Ours } else { Column::Lxd }
}
