//! A counter in a profile that all clients raise; what they see of it is for `history.rs`.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use lab::Dice;
use serde_json::json;

use super::{
    history::{Event, What},
    load::socket,
};

const COUNTER: &str = "/1.0/profiles/counter";

/// The counter at daemons with these folders.
pub(crate) struct Counter<'a> {
    pub(crate) folders: &'a [PathBuf],
    /// The same of all clients, so that their times can be compared.
    pub(crate) begun: Instant,
}

impl Counter<'_> {
    /// Reads the counter, and raises it by one if nobody else did meanwhile.
    pub(crate) fn raise(&self, dice: &mut Dice, events: &mut Vec<Event>) {
        let Some((count, etag)) = self.read(dice, events) else { return };
        let next = count + 1;
        let body = json!({ "config": { "user.count": next.to_string() } }).to_string();
        let headers = [("If-Match", &*etag)];
        let (member, begun) = (dice.below(self.folders.len()), self.begun.elapsed());
        let socket = socket(&self.folders[member]);
        let said = lab::http::send(&socket, "PUT", COUNTER, &headers, body.as_bytes());
        let what = match said.map(|said| said.status) {
            Ok(200) => What::Raised(next),
            Ok(412) => What::Refused(next),
            _ => What::Unknown(next),
        };
        events.push(self.event(member, begun, what));
    }

    /// The counter at some member, and its `ETag`.
    fn read(&self, dice: &mut Dice, events: &mut Vec<Event>) -> Option<(u64, String)> {
        let (member, begun) = (dice.below(self.folders.len()), self.begun.elapsed());
        let now = lab::http::send(&socket(&self.folders[member]), "GET", COUNTER, &[], b"").ok()?;
        let count = now.body["metadata"]["config"]["user.count"].as_str()?.parse().ok()?;
        events.push(self.event(member, begun, What::Read(count)));
        Some((count, now.etag?))
    }

    fn event(&self, member: usize, begun: Duration, what: What) -> Event {
        Event { member, begun, ended: self.begun.elapsed(), what }
    }
}

/// Makes the counter.
pub(crate) fn make(daemon: &lab::Daemon) {
    daemon.lxc(["profile", "create", "counter"]).ok();
    daemon.lxc(["profile", "set", "counter", "user.count", "0"]).ok();
}

/// What a daemon says of it.
pub(crate) fn told(daemon: &lab::Daemon) -> Option<u64> {
    let reply = daemon.try_request("GET", COUNTER, &[], b"").ok()?;
    reply.body["metadata"]["config"]["user.count"].as_str()?.parse().ok()
}
