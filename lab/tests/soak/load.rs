//! What a client does meanwhile, and what it may count on: only it knows what was acknowledged.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use lab::{Asked, Daemon, Dice};
use serde_json::{Value, json};

use super::{
    socket,
    thing::{Content, Kind, Saved, Thing, data},
};
use crate::faults::{counter::Counter, history::Event};

/// How many things a worker has at most.
const MOST: usize = 4;
/// What is not worth telling: the daemon does not run.
const UNHEARD: &str = "Connection refused";
/// Before it asks again a daemon that does not run, or refuses.
const PAUSE: Duration = Duration::from_millis(20);

/// A client.
pub(super) struct Load {
    worker: usize,
    dice: Dice,
    folder: PathBuf,
    made: u32,
    pub(super) things: BTreeMap<String, Thing>,
    /// Of the counter, in this round.
    pub(super) events: Vec<Event>,
    /// What was done in this round.
    pub(super) log: Vec<String>,
    /// How many were acknowledged, refused, neither.
    pub(super) counts: [u32; 3],
    begun: Instant,
}

/// What came of a deed.
#[derive(Clone, Copy, PartialEq)]
enum Came {
    Done,
    Refused,
    Doubt,
}

impl Load {
    pub(super) fn new(seed: u64, worker: usize, folder: PathBuf) -> Load {
        let dice = Dice::new(seed * 100 + worker as u64);
        let (things, events, log) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (made, counts, begun) = (0, [0; 3], Instant::now());
        Load { worker, dice, folder, made, things, events, log, counts, begun }
    }

    /// The round is judged.
    pub(super) fn forget(&mut self) {
        self.events.clear();
        self.log.clear();
    }

    /// Does something, and waits for its end. `begun` is the same of all.
    pub(super) fn step(&mut self, begun: Instant) {
        self.begun = begun;
        if self.dice.below(4) == 0 {
            let counter = Counter { folders: std::slice::from_ref(&self.folder), begun };
            return counter.raise(&mut self.dice, &mut self.events);
        }
        let there = self.things.iter().filter(|(_, thing)| thing.there == Some(true));
        let there: Vec<String> = there.map(|(name, _)| name.clone()).collect();
        if there.is_empty() || there.len() < MOST && self.dice.below(3) == 0 {
            return self.create();
        }
        let name = self.dice.one(&there).clone();
        match self.dice.below(14) {
            0..=2 if self.things[&name].kind == Kind::Instance => self.power(&name),
            3 if self.things[&name].kind == Kind::Instance => self.push(&name),
            4 if self.things[&name].running == Some(true) => self.exec(&name),
            5 | 6 => self.note(&name),
            7 | 8 => self.snapshot(&name),
            9 => self.restore(&name),
            10 => self.unsnapshot(&name),
            11 if there.len() < MOST => self.copy(&name),
            12 => self.rename(&name),
            13 => self.delete(&name),
            _ => {}
        }
    }

    fn thing(&mut self, name: &str) -> &mut Thing {
        self.things.get_mut(name).unwrap_or_else(|| panic!("{name} is not known"))
    }

    fn new_name(&mut self) -> String {
        self.made += 1;
        format!("w{}-{}", self.worker, self.made)
    }

    fn create(&mut self) {
        let kind = if self.dice.below(3) == 0 { Kind::Volume } else { Kind::Instance };
        let (name, start) = (self.new_name(), kind == Kind::Instance && self.dice.below(2) == 0);
        let port = 10_000 * self.worker as u32 + self.made % 10_000;
        let body = kind.made(&name, start, self.worker, port);
        let thing = Thing { running: Some(start), ..Thing::new(kind) };
        self.make(&name, thing, &body);
    }

    fn copy(&mut self, from: &str) {
        let (name, thing) = (self.new_name(), self.things[from].copy());
        let body = thing.kind.copied(&name, from);
        self.make(&name, thing, &body);
    }

    /// One in doubt may have been made, and not yet been started.
    fn make(&mut self, name: &str, mut thing: Thing, body: &Value) {
        let came = self.ask("POST", thing.kind.all(), body);
        match came {
            Came::Refused => return,
            Came::Done => thing.there = Some(true),
            Came::Doubt => thing.running = None,
        }
        self.things.insert(name.to_owned(), thing);
    }

    fn power(&mut self, name: &str) {
        let on = self.things[name].running != Some(true);
        let action = if on { "start" } else { "stop" };
        let body = json!({ "action": action, "force": true, "timeout": 10 });
        let came = self.ask("PUT", &format!("/1.0/instances/{name}/state"), &body);
        let was = self.things[name].running;
        self.thing(name).running = known(came, on, was);
    }

    fn note(&mut self, name: &str) {
        let note = self.dice.below(1_000_000).to_string();
        let body = json!({ "config": { "user.note": note } });
        let came = self.ask("PATCH", &self.things[name].kind.path(name), &body);
        let was = self.things[name].content.note.clone();
        self.thing(name).content.note = known(came, note, was);
    }

    fn push(&mut self, name: &str) {
        let text = self.dice.below(1_000_000).to_string();
        let path = format!("/1.0/instances/{name}/files?path=/root/note");
        let came = self.ask("POST", &path, &json!(text.parse::<u32>().unwrap_or_default()));
        let was = self.things[name].content.file.clone();
        self.thing(name).content.file = known(came, text, was);
    }

    fn exec(&mut self, name: &str) {
        let body = json!({ "command": ["true"], "wait-for-websocket": false });
        self.ask("POST", &format!("/1.0/instances/{name}/exec"), &body);
    }

    fn snapshot(&mut self, name: &str) {
        self.made += 1;
        let snapshot = format!("s{}", self.made);
        let path = format!("{}/snapshots", self.things[name].kind.path(name));
        let came = self.ask("POST", &path, &json!({ "name": snapshot }));
        if came != Came::Refused {
            let content = self.things[name].content.clone();
            let saved = Saved { there: known(came, true, None), content };
            self.thing(name).snapshots.insert(snapshot, saved);
        }
    }

    fn unsnapshot(&mut self, name: &str) {
        let Some(snapshot) = self.one_of(name) else { return };
        let path = format!("{}/snapshots/{snapshot}", self.things[name].kind.path(name));
        let came = self.ask("DELETE", &path, &Value::Null);
        if let Some(saved) = self.thing(name).snapshots.get_mut(&snapshot) {
            saved.there = known(came, false, Some(true));
        }
    }

    /// The options of a volume are not part of its snapshots.
    fn restore(&mut self, name: &str) {
        let thing = self.things[name].clone();
        let Some(snapshot) = self.one_of(name) else { return };
        if thing.running != Some(false) {
            return;
        }
        let came = self.ask("PUT", &thing.kind.path(name), &json!({ "restore": snapshot }));
        let saved = thing.snapshots[&snapshot].content.clone();
        self.thing(name).content = match (came, thing.kind) {
            (Came::Refused, _) => thing.content,
            (Came::Done, Kind::Instance) => saved,
            (_, Kind::Volume) | (Came::Doubt, _) => Content::default(),
        };
    }

    fn one_of(&mut self, name: &str) -> Option<String> {
        let all = self.things[name].known();
        (!all.is_empty()).then(|| self.dice.one(&all).clone())
    }

    fn rename(&mut self, name: &str) {
        let mut thing = self.things[name].clone();
        if thing.running != Some(false) {
            return;
        }
        let to = self.new_name();
        match self.ask("POST", &thing.kind.path(name), &json!({ "name": to })) {
            Came::Refused => return,
            Came::Done => drop(self.things.remove(name)),
            Came::Doubt => {
                (thing.there, thing.or) = (None, Some(name.to_owned()));
                self.thing(name).there = None;
            }
        }
        self.things.insert(to, thing);
    }

    fn delete(&mut self, name: &str) {
        if self.things[name].running != Some(false) {
            return self.power(name);
        }
        let came = self.ask("DELETE", &self.things[name].kind.path(name), &Value::Null);
        self.thing(name).there = known(came, false, Some(true));
    }

    /// Asks, and waits.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Came {
        let sent = self.begun.elapsed().as_secs_f32();
        let asked = lab::ask(&socket(&self.folder), method, path, &body.to_string());
        let ended = self.begun.elapsed().as_secs_f32();
        if !matches!(&asked, Asked::Refused(why) if why.starts_with(UNHEARD)) {
            self.log.push(format!("{sent:06.2}-{ended:06.2} {method} {path} {body}: {asked:?}"));
        }
        let came = match asked {
            Asked::Done => Came::Done,
            Asked::Refused(_) => Came::Refused,
            Asked::Unknown(_) => Came::Doubt,
        };
        self.counts[came as usize] += 1;
        if came == Came::Refused {
            thread::sleep(PAUSE);
        }
        came
    }
}

/// What is known after a request for something new.
fn known<T>(came: Came, new: T, was: Option<T>) -> Option<T> {
    match came {
        Came::Done => Some(new),
        Came::Refused => was,
        Came::Doubt => None,
    }
}

/// Makes what the workers need.
pub(super) fn furnish(daemon: &Daemon, workers: usize) {
    for worker in 1..=workers {
        let body = json!({ "name": data(worker) }).to_string();
        daemon.request("POST", Kind::Volume.all(), &body).ok();
    }
}

/// Deletes everything that is there.
pub(super) fn clear(daemon: &Daemon) {
    let socket = socket(&daemon.folder());
    for name in super::verdict::names(daemon, Kind::Instance) {
        let stop = json!({ "action": "stop", "force": true }).to_string();
        // It may stand already.
        let _ = lab::ask(&socket, "PUT", &format!("/1.0/instances/{name}/state"), &stop);
        gone(&socket, Kind::Instance, &name);
    }
    for name in super::verdict::names(daemon, Kind::Volume) {
        gone(&socket, Kind::Volume, &name);
    }
}

fn gone(socket: &std::path::Path, kind: Kind, name: &str) {
    let gone = lab::ask(socket, "DELETE", &kind.path(name), "");
    gone.done().unwrap_or_else(|why| panic!("{name} cannot be deleted: {why}"));
}
