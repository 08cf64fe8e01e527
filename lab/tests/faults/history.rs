//! The history of one register, a counter that all raise: whether it could be that of a single copy.
//!
//! A raise says which value it found (`If-Match`), so no two may have found the same, and their order is that of their values. With
//! it the search that checkers of linearizability do (every order that time allows) becomes a look at pairs:
//!
//! - changes are linearizable: what ended before another began has the smaller value, whichever members were asked;
//! - reads are of the member's own database and may be old, but never go back at one member, nor miss what was
//!   acknowledged or read there, nor tell what nobody had begun to write.

use std::{collections::BTreeSet, time::Duration};

/// Most that are told of one kind.
const TOLD: usize = 5;

/// What a client knows of one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    Read(u64),
    /// Acknowledged: it was one less before.
    Raised(u64),
    /// Refused, as it was not one less.
    Refused(u64),
    /// No word of it, or that it failed: it may take effect whenever it likes.
    Unknown(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) member: usize,
    /// Since the load began.
    pub(crate) begun: Duration,
    pub(crate) ended: Duration,
    pub(crate) what: What,
}

impl Event {
    /// What the counter had at some moment between begin and end.
    fn held(&self) -> Option<u64> {
        match self.what {
            What::Read(count) | What::Raised(count) => Some(count),
            What::Refused(_) | What::Unknown(_) => None,
        }
    }

    fn raised(&self) -> Option<u64> {
        if let What::Raised(count) = self.what { Some(count) } else { None }
    }

    /// What it wrote, or may have.
    fn wrote(&self) -> Option<u64> {
        match self.what {
            What::Raised(count) | What::Unknown(count) => Some(count),
            What::Read(_) | What::Refused(_) => None,
        }
    }

    fn words(&self) -> String {
        let [begun, ended] = [self.begun, self.ended].map(|at| at.as_secs_f32());
        format!("{:?} at m{}, {begun:06.3}-{ended:06.3}", self.what, self.member + 1)
    }
}

/// What is wrong with a history at whose end the counter is `last`.
pub(crate) fn wrong(events: &[Event], last: u64) -> Vec<String> {
    let first = first(events);
    let kinds = [
        lost(events, first, last),
        of_one(events, |event| from_nowhere(events, first, event)),
        of_two(events, |earlier, later| {
            let (held, raised) = (earlier.held()?, later.raised()?);
            (held >= raised).then_some("was over when this began, which it had overtaken")
        }),
        of_two(events, |earlier, later| {
            let What::Read(read) = later.what else { return None };
            (earlier.member == later.member && earlier.held()? > read)
                .then_some("was over when this began there, and is not seen")
        }),
    ];
    kinds.into_iter().flat_map(|kind| kind.into_iter().take(TOLD)).collect()
}

/// What the counter was before any of it; what it is known to have been, at least.
fn first(events: &[Event]) -> u64 {
    let seen = events.iter().map(|event| match event.what {
        What::Read(count) => count,
        What::Raised(next) | What::Unknown(next) | What::Refused(next) => next - 1,
    });
    seen.min().unwrap_or_default()
}

/// Each value was written once, and none is missing.
fn lost(events: &[Event], first: u64, last: u64) -> Vec<String> {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for count in events.iter().filter_map(Event::raised) {
        if !seen.insert(count) {
            wrong.push(format!("two raised the counter to {count}"));
        }
        if count > last {
            wrong.push(format!("the counter is {last}, and was acknowledged as {count}"));
        }
    }
    let written: BTreeSet<u64> = events.iter().filter_map(Event::wrote).collect();
    let missing = (first + 1..=last).filter(|count| !written.contains(count));
    wrong.extend(missing.map(|count| format!("nobody raised the counter to {count}")));
    wrong
}

/// What is told that nobody had begun to write by then. A refusal may come of a member that does not yet have what
/// the client saw at another.
fn from_nowhere(events: &[Event], first: u64, event: &Event) -> Option<&'static str> {
    let had = |count| {
        let mut before =
            events.iter().filter(|other| other.member == event.member && other.ended < event.begun);
        before.any(|other| other.held().is_some_and(|held| held >= count))
    };
    let (count, why) = match event.what {
        What::Read(count) => (count, "reads what nobody had begun to write"),
        What::Refused(count) if had(count - 1) => (count, "is refused, and nobody had changed it"),
        What::Refused(_) | What::Raised(_) | What::Unknown(_) => return None,
    };
    let begun = |other: &Event| {
        other.begun <= event.ended && other.wrote().is_some_and(|wrote| wrote >= count)
    };
    (count > first && !events.iter().any(begun)).then_some(why)
}

fn of_one(events: &[Event], wrong: impl Fn(&Event) -> Option<&'static str>) -> Vec<String> {
    let told = |event: &Event| wrong(event).map(|why| format!("{} {why}", event.words()));
    events.iter().filter_map(told).collect()
}

/// What is wrong between those that were over and those that began after it.
fn of_two(events: &[Event], wrong: impl Fn(&Event, &Event) -> Option<&'static str>) -> Vec<String> {
    let after = |earlier: &Event| {
        let ended = earlier.ended;
        events.iter().filter(move |later| ended < later.begun)
    };
    let pairs = events.iter().flat_map(|earlier| after(earlier).map(move |later| (earlier, later)));
    let told = |(earlier, later): (&Event, &Event)| {
        let why = wrong(earlier, later)?;
        Some(format!("{} {why}: {}", earlier.words(), later.words()))
    };
    pairs.filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Member, begin and end in milliseconds, and what.
    fn history(rows: &[(usize, u64, u64, What)]) -> Vec<Event> {
        let row = |(member, begun, ended, what): &(usize, u64, u64, What)| Event {
            member: *member,
            begun: Duration::from_millis(*begun),
            ended: Duration::from_millis(*ended),
            what: *what,
        };
        rows.iter().map(row).collect()
    }

    #[track_caller]
    fn is_wrong(rows: &[(usize, u64, u64, What)], last: u64, why: &str) {
        let found = wrong(&history(rows), last);
        assert!(found.len() == 1 && found[0].contains(why), "{found:?}");
    }

    #[test]
    fn what_may_be_is_well() {
        let rows = [
            (0, 0, 1, What::Read(7)),
            (0, 2, 9, What::Raised(8)),
            // At the same time, elsewhere: old, or new already.
            (1, 3, 4, What::Read(8)),
            (2, 5, 6, What::Read(7)),
            (2, 5, 12, What::Refused(8)),
            // It came after all, and was read.
            (1, 10, 20, What::Unknown(9)),
            (2, 30, 31, What::Read(9)),
            // Another member is behind, and refuses what was seen elsewhere.
            (0, 32, 33, What::Refused(10)),
            (1, 40, 41, What::Read(8)),
            (0, 50, 51, What::Raised(10)),
        ];
        assert_eq!(wrong(&history(&rows), 10), Vec::<String>::new());
    }

    #[test]
    fn two_that_found_the_same() {
        let rows = [(0, 0, 9, What::Raised(8)), (1, 0, 9, What::Raised(8))];
        is_wrong(&rows, 8, "two raised the counter to 8");
    }

    #[test]
    fn what_was_acknowledged_and_is_lost() {
        is_wrong(&[(0, 0, 9, What::Raised(8))], 7, "was acknowledged as 8");
    }

    #[test]
    fn what_nobody_wrote() {
        let rows = [(0, 0, 9, What::Raised(8)), (1, 10, 19, What::Raised(10))];
        is_wrong(&rows, 10, "nobody raised the counter to 9");
        is_wrong(&[(0, 0, 1, What::Read(7)), (0, 2, 3, What::Read(8))], 7, "nobody had begun");
    }

    #[test]
    fn a_change_that_goes_before_one_that_was_over() {
        let rows = [(0, 0, 1, What::Raised(9)), (1, 2, 3, What::Raised(8))];
        is_wrong(&rows, 9, "which it had overtaken");
        let rows =
            [(0, 0, 5, What::Unknown(8)), (0, 0, 1, What::Read(8)), (1, 2, 3, What::Raised(8))];
        is_wrong(&rows, 8, "which it had overtaken");
    }

    #[test]
    fn a_member_that_goes_back() {
        let rows = [(1, 0, 1, What::Raised(8)), (1, 2, 3, What::Read(7))];
        is_wrong(&rows, 8, "is not seen");
    }

    #[test]
    fn a_refusal_without_a_cause() {
        let rows =
            [(1, 0, 1, What::Read(7)), (1, 2, 3, What::Refused(8)), (1, 4, 5, What::Raised(8))];
        is_wrong(&rows, 8, "nobody had changed it");
    }
}
