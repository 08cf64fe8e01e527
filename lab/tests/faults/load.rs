//! What clients do meanwhile, and what they may count on: only they know what was acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Instant,
};

use lab::Dice;
use serde_json::{Value, json};

use super::{
    counter::Counter,
    history::{Event, What},
};

/// How many instances a worker has at most.
const MOST: usize = 3;

/// What is known of an instance; `None` where an answer did not come, or said that it failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Thing {
    pub(super) there: Option<bool>,
    pub(super) at: Option<String>,
    pub(super) running: Option<bool>,
    pub(super) note: Option<String>,
    /// Snapshots that were acknowledged.
    pub(super) snapshots: BTreeSet<String>,
}

/// What was done, and came of it.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) things: BTreeMap<String, Thing>,
    /// Of the counter.
    pub(super) events: Vec<Event>,
    pub(super) log: Vec<String>,
    done: u32,
    failed: u32,
}

impl Story {
    /// One story of many.
    pub(super) fn all(stories: Vec<Story>) -> Story {
        let mut all = Story::default();
        for story in stories {
            all.things.extend(story.things);
            all.events.extend(story.events);
            all.log.extend(story.log);
            all.done += story.done;
            all.failed += story.failed;
        }
        all.log.sort();
        all
    }

    /// In few words.
    pub(super) fn words(&self) -> String {
        let raised = self.events.iter().filter(|event| matches!(event.what, What::Raised(_)));
        let (raised, all) = (raised.count(), self.events.len());
        let (done, failed) = (self.done, self.failed);
        format!("{done} acknowledged, {failed} not, counted to {raised} in a history of {all}")
    }
}

/// A client.
pub(super) struct Load<'a> {
    worker: u64,
    dice: Dice,
    folders: &'a [PathBuf],
    begun: Instant,
    made: u32,
    pub(super) story: Story,
}

impl<'a> Load<'a> {
    /// `begun` is the same of all, so that their times can be compared.
    pub(super) fn new(seed: u64, worker: u64, folders: &'a [PathBuf], begun: Instant) -> Load<'a> {
        let (dice, story) = (Dice::new(seed * 100 + worker), Story::default());
        Load { worker, dice, folders, begun, made: 0, story }
    }

    /// Does something, and waits for its end.
    pub(super) fn step(&mut self) {
        if self.dice.below(3) == 0 {
            return self.count();
        }
        let there: Vec<String> = self
            .story
            .things
            .iter()
            .filter(|(_, thing)| thing.there == Some(true))
            .map(|(name, _)| name.clone())
            .collect();
        if there.is_empty() || there.len() < MOST && self.dice.below(3) == 0 {
            return self.create();
        }
        let name = self.dice.one(&there).clone();
        match self.dice.below(8) {
            0..=2 => {
                let on = self.thing(&name).running != Some(true);
                self.power(&name, on);
            }
            3 => self.note(&name),
            4 => self.snapshot(&name),
            5 | 6 => self.relocate(&name),
            _ => self.delete(&name),
        }
    }

    fn thing(&mut self, name: &str) -> &mut Thing {
        self.story.things.entry(name.to_owned()).or_default()
    }

    fn member(&mut self) -> String {
        lab::cluster::name(self.dice.below(self.folders.len()))
    }

    fn create(&mut self) {
        self.made += 1;
        let (name, at) = (format!("w{}-{}", self.worker, self.made), self.member());
        let start = self.dice.below(2) == 0;
        let source = json!({ "type": "image", "alias": "busybox" });
        let body = json!({ "name": name, "source": source, "start": start });
        self.thing(&name).there = None;
        let made = self.ask("POST", &format!("/1.0/instances?target={at}"), &body);
        if made {
            let there = Some(true);
            *self.thing(&name) =
                Thing { there, at: Some(at), running: Some(start), ..Thing::default() };
        }
    }

    fn power(&mut self, name: &str, on: bool) {
        self.thing(name).running = None;
        let action = if on { "start" } else { "stop" };
        let body = json!({ "action": action, "force": true, "timeout": 10 });
        if self.ask("PUT", &format!("/1.0/instances/{name}/state"), &body) {
            self.thing(name).running = Some(on);
        }
    }

    fn note(&mut self, name: &str) {
        self.thing(name).note = None;
        let note = self.dice.below(1_000_000).to_string();
        let body = json!({ "config": { "user.note": note } });
        if self.ask("PATCH", &format!("/1.0/instances/{name}"), &body) {
            self.thing(name).note = Some(note);
        }
    }

    fn snapshot(&mut self, name: &str) {
        self.made += 1;
        let snapshot = format!("s{}", self.made);
        let path = format!("/1.0/instances/{name}/snapshots");
        if self.ask("POST", &path, &json!({ "name": snapshot })) {
            self.thing(name).snapshots.insert(snapshot);
        }
    }

    /// One that runs is stopped first: a move of it would be refused.
    fn relocate(&mut self, name: &str) {
        if self.thing(name).running != Some(false) {
            self.power(name, false);
        }
        if self.thing(name).running != Some(false) {
            return;
        }
        let to = self.member();
        if self.thing(name).at.replace(String::new()).as_ref() == Some(&to) {
            self.thing(name).at = Some(to);
            return;
        }
        self.thing(name).at = None;
        let body = json!({ "name": name, "migration": true });
        if self.ask("POST", &format!("/1.0/instances/{name}?target={to}"), &body) {
            self.thing(name).at = Some(to);
        }
    }

    fn delete(&mut self, name: &str) {
        if self.thing(name).running != Some(false) {
            self.power(name, false);
        }
        self.thing(name).there = None;
        if self.ask("DELETE", &format!("/1.0/instances/{name}"), &Value::Null) {
            self.thing(name).there = Some(false);
        }
    }

    /// Raises the counter.
    pub(super) fn count(&mut self) {
        let counter = Counter { folders: self.folders, begun: self.begun };
        counter.raise(&mut self.dice, &mut self.story.events);
    }

    /// Asks some member, and waits; whether it is acknowledged.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> bool {
        let folder = self.dice.one(self.folders).clone();
        let sent = self.begun.elapsed().as_secs_f32();
        let done = lab::ask(&socket(&folder), method, path, &body.to_string()).done();
        let ended = self.begun.elapsed().as_secs_f32();
        let member = self.folders.iter().position(|it| *it == folder).unwrap_or_default() + 1;
        let words = match &done {
            Ok(()) => String::from("done"),
            Err(why) => why.clone(),
        };
        let line = format!("{sent:06.2}-{ended:06.2} m{member} {method} {path} {body}: {words}");
        self.story.log.push(line);
        match done.is_ok() {
            true => self.story.done += 1,
            false => self.story.failed += 1,
        }
        done.is_ok()
    }
}

pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join("unix.socket")
}
