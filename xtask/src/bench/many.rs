//! Many instances at once: launched two at a time, started one after another, listed. In turns, once: each peer has the
//! machine to itself.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::figures::{Figure, Figures};
use super::memory::Memory;
use super::peer::{Client, Kind, Peer};
use super::starts::column;
use super::{say, stores};
use crate::shell;

const IMAGE: &str = "local:busybox";
/// How often what takes LXD seconds is asked for; the other is asked more often.
const ASKED: [(Kind, usize); 2] = [(Kind::Lxd, 3), (Kind::Ours, 30)];
/// How many are started with one command, whose time is divided by it.
const BATCH: usize = 20;
/// The 101st start of LXD 5.0.2 does not end on the machine where this was written: both are asked when so many run.
const BOTH: usize = 100;
const MANY: [(Kind, usize); 2] = [(Kind::Lxd, BOTH), (Kind::Ours, 200)];
/// Ours alone, as LXD would take minutes to make them.
const LISTED: usize = 1000;

pub(super) fn measure(peers: &[Peer], figures: &mut Figures) -> Result<()> {
    for peer in peers {
        say(&format!("many instances of {}", peer.name));
        twenty(peer, figures)?;
        hundreds(peer, figures)?;
        if peer.kind == Kind::Ours {
            thousand(peer, figures)?;
        }
        shell::succeeds(&mut shell::command("sync", &[]))?;
    }
    Ok(())
}

fn twenty(peer: &Peer, figures: &mut Figures) -> Result<()> {
    stores::forget_files()?;
    let words = ["launch", "--count", "20", "--parallel", "2", IMAGE];
    let taken = peer.timed(Client::Benchmark, &words)?;
    figures.of(Figure::Twenty, column(peer)).add_time(taken);
    let memory = Memory::of(peer.pid()?)?;
    figures.of(Figure::TwentyUsed, column(peer)).add(memory.resident);
    peer.must(Client::Benchmark, &["delete"])
}

fn hundreds(peer: &Peer, figures: &mut Figures) -> Result<()> {
    let many = of(&MANY, peer);
    init(peer, many)?;
    let batches: Vec<Vec<String>> = (1..=many)
        .map(|number| format!("benchmark-{number:03}"))
        .collect::<Vec<_>>()
        .chunks(BATCH)
        .map(<[String]>::to_vec)
        .collect();
    for (index, names) in batches.iter().enumerate() {
        let words: Vec<&str> = ["start"].into_iter().chain(names.iter().map(|it| &**it)).collect();
        let taken = peer.timed(Client::Stock, &words)? / BATCH as u32;
        if index == 0 {
            figures.of(Figure::FirstStarts, column(peer)).add_time(taken);
        } else if index + 1 == batches.len() {
            figures.of(Figure::LastStarts, column(peer)).add_time(taken);
        }
        if (index + 1) * BATCH == BOTH {
            asked(peer, figures, [Figure::Recursion1, Figure::Recursion2])?;
        }
    }
    if many > BOTH {
        asked(peer, figures, [Figure::Recursion1Of200, Figure::Recursion2Of200])?;
    }
    peer.must(Client::Benchmark, &["delete"])
}

fn asked(peer: &Peer, figures: &mut Figures, of_depths: [Figure; 2]) -> Result<()> {
    for (figure, recursion) in of_depths.into_iter().zip(1..) {
        for _ in 0..of(&ASKED, peer) {
            let taken = fetch(peer, &format!("/1.0/instances?recursion={recursion}"))?;
            figures.of(figure, column(peer)).add_time(taken);
        }
    }
    Ok(())
}

fn thousand(peer: &Peer, figures: &mut Figures) -> Result<()> {
    use super::figures::Column;
    init(peer, LISTED)?;
    for _ in 0..10 {
        for (client, column) in [(Client::Stock, Column::Ours), (Client::Own, Column::OwnClient)] {
            let taken = peer.timed(client, &["list"])?;
            figures.of(Figure::Listed, column).add_time(taken);
        }
    }
    // They end with the daemon's folder.
    Ok(())
}

fn of(counts: &[(Kind, usize); 2], peer: &Peer) -> usize {
    counts.iter().find(|(kind, _)| *kind == peer.kind).map_or(1, |(_, count)| *count)
}

fn init(peer: &Peer, count: usize) -> Result<()> {
    let count = count.to_string();
    peer.must(Client::Benchmark, &["init", "--count", &count, "--parallel", "2", IMAGE])
}

/// Asks over the socket, and reads all of the answer.
fn fetch(peer: &Peer, path: &str) -> Result<Duration> {
    let start = Instant::now();
    let asked = || -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(peer.folder().join("unix.socket"))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().with_context(|| format!("ask {} for {path}", peer.name))?;
    let taken = start.elapsed();
    if !answer.starts_with(b"HTTP/1.1 200") {
        bail!("{} does not answer {path}", peer.name);
    }
    Ok(taken)
}
