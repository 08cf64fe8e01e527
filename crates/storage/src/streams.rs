//! Streams: a state of a volume as its driver writes it for another pool of its kind, whole or as what changed
//! since an older state that both have.
//!
//! ```text
//! states of both ─> newest common ─> prepare ─> send ══ pipe ══> receive ─> a new volume, or new contents
//! ```
//! Who sends and who receives need not meet: a stream may wait in a file. What a state is known by is the
//! driver's, and holds only while nobody wrote to it: a base that is not the same on both sides is none.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use exec::Control;

use crate::error::At;
use crate::{Error, Pool, Result, Shape, VolumeId};

/// A volume as it is now, or as a snapshot has it.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// The volume.
    pub of: &'a VolumeId,
    /// The snapshot.
    pub snapshot: Option<&'a str>,
}

/// A snapshot that streams can start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its name.
    pub snapshot: String,
    /// What it is known by on whatever pool: two that have one in common are the same.
    pub ids: Vec<String>,
    /// Grows with every state of a pool.
    pub age: u64,
}

/// Where a stream goes.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// The volume that is made; or that gets other contents, if it is there: it must not be in use then.
    pub to: &'a VolumeId,
    /// What it is to be.
    pub shape: &'a Shape,
    /// The volume and the snapshot of it that the stream may start from.
    pub base: Option<(&'a VolumeId, &'a str)>,
    /// Whether it becomes a snapshot that nobody writes to; then what it is known by where it comes from.
    pub kept: Option<Option<&'a str>>,
    /// The folder with the small files that lie beside the contents of a new volume.
    pub beside: Option<&'a Path>,
    /// Called once a state is held: from then on the source may change.
    pub held: Option<&'a (dyn Fn() + Sync)>,
}

/// A state that waits to be sent.
pub trait Outgoing: Send + Sync {
    /// What it is known by.
    fn id(&self) -> Option<&str>;
    /// Writes it. Whoever reads may be slow.
    fn send(&self, to: OwnedFd, control: &Control) -> Result<()>;
}

/// A pool that sends and receives.
pub trait Streams: Send + Sync {
    /// What its streams are called; pools with the same word understand each other.
    fn form(&self) -> &'static str;
    /// The snapshots of a volume that a stream can start from, the oldest first.
    fn states(&self, of: &VolumeId) -> Result<Vec<State>>;
    /// Holds a state, to send it or what makes it of a snapshot; None where the driver cannot, and files must
    /// be copied one by one.
    fn prepare<'a>(
        &'a self,
        what: Point<'_>,
        base: Option<(&VolumeId, &str)>,
    ) -> Result<Option<Box<dyn Outgoing + 'a>>>;
    /// Reads a stream, all or nothing. It may come from anybody.
    fn receive(&self, arrival: &Arrival<'_>, from: OwnedFd, control: &Control) -> Result<()>;
}

/// Brings a state into another pool by a stream; false where that cannot be, and nothing was done.
///
/// A volume that is there gets what changed since a common snapshot, never the whole: that is what comparing
/// its files does with less.
pub fn transfer(
    (from, what): (&dyn Pool, Point<'_>),
    (to, at): (&dyn Pool, &VolumeId),
    arrival: Arrival<'_>,
    control: &Control,
) -> Result<bool> {
    let Some((out, into)) = ends(from, to) else { return Ok(false) };
    let common = match to.exists(at)? {
        true => newest(&out.states(what.of)?, &into.states(at)?),
        false => None,
    };
    // A snapshot that is kept already stands for itself.
    let common = common.filter(|(theirs, _)| what.snapshot != Some(theirs));
    let replaces = to.exists(arrival.to)?;
    if let Some((theirs, ours)) = &common
        && let Some(outgoing) = out.prepare(what, Some((what.of, theirs)))?
    {
        let arrival = Arrival { base: Some((at, ours)), ..arrival };
        return run(&*outgoing, into, arrival, control).map(|()| true);
    }
    match out.prepare(what, None)? {
        Some(outgoing) if !replaces => run(&*outgoing, into, arrival, control).map(|()| true),
        _ => Ok(false),
    }
}

/// Whether one pool understands the other's streams.
pub fn understand(from: &dyn Pool, to: &dyn Pool) -> bool {
    ends(from, to).is_some()
}

fn ends<'a>(from: &'a dyn Pool, to: &'a dyn Pool) -> Option<(&'a dyn Streams, &'a dyn Streams)> {
    let (out, into) = (from.streams()?, to.streams()?);
    (out.form() == into.form()).then_some((out, into))
}

/// The newest state that both have, as each calls it.
fn newest(theirs: &[State], ours: &[State]) -> Option<(String, String)> {
    let same = |a: &State, b: &State| a.ids.iter().any(|id| b.ids.contains(id));
    theirs.iter().rev().find_map(|state| {
        let twin = ours.iter().find(|other| same(state, other))?;
        Some((state.snapshot.clone(), twin.snapshot.clone()))
    })
}

fn run(
    outgoing: &dyn Outgoing,
    into: &dyn Streams,
    arrival: Arrival<'_>,
    control: &Control,
) -> Result<()> {
    arrival.held.inspect(|held| held());
    let kept = arrival.kept.map(|_| outgoing.id());
    let arrival = Arrival { kept, ..arrival };
    let (reader, writer) = io::pipe().at("make a pipe for", "a stream")?;
    let (sent, received) = std::thread::scope(|scope| {
        let sender = scope.spawn(move || outgoing.send(writer.into(), control));
        let received = into.receive(&arrival, reader.into(), control);
        (sender.join(), received)
    });
    control.check()?;
    match (sent, received) {
        (Ok(Ok(())), received) => received,
        // Who reads has given up first, and says why.
        (Ok(Err(error)), Err(reason)) if error.is_broken_pipe() => Err(reason),
        (Ok(Err(error)), _) => Err(error),
        (Err(panic), _) => std::panic::resume_unwind(panic),
    }
}

impl Error {
    /// Whether who reads has gone away.
    fn is_broken_pipe(&self) -> bool {
        match self {
            Error::Io { source, .. } => source.kind() == io::ErrorKind::BrokenPipe,
            Error::Program { source, .. } => source.is_broken_pipe(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(snapshot: &str, ids: &[&str], age: u64) -> State {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        State { snapshot: snapshot.into(), ids, age }
    }

    #[test]
    fn the_newest_common_state_is_found_by_what_it_is_and_not_by_its_name() {
        let theirs = [state("a", &["1"], 1), state("b", &["2", "9"], 2), state("c", &["3"], 3)];
        let ours = [state("c", &["7"], 1), state("x", &["9"], 2), state("a", &["1"], 3)];
        let found = newest(&theirs, &ours).unwrap();
        assert_eq!((found.0.as_str(), found.1.as_str()), ("b", "x"));
        assert_eq!(newest(&theirs[2..], &ours), None);
    }
}
