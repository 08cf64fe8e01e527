//! What there is of a daemon at some moment, to be compared with another: what it holds itself, what lies outside of
//! its folder, its files, its rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{Daemon, host, leaks};

/// Its databases. Their files change all the while; what is in them is counted.
const DATABASES: [&str; 2] = ["database/state.db", "local.db"];
const UNCOUNTED: [&str; 2] = ["database", "local.db"];
/// What a pool tells of itself. It is written some time after the first change.
const OF_POOL: &str = "recovery.json";
/// What changes without end: the store's own log of itself, and warnings about what happened.
const PASSING: [&str; 2] = ["_store", "warnings"];

/// What there is.
#[derive(Clone, Debug)]
pub struct Census {
    /// KiB of the daemon's memory.
    pub memory: u64,
    /// Files that the daemon has open.
    pub open: u64,
    /// KiB of what its rows take.
    pub database: u64,
    /// Files, mounts, links, control groups, processes.
    pub things: BTreeSet<String>,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
}

impl Census {
    /// Counts everything.
    #[track_caller]
    pub fn of(daemon: &Daemon) -> Census {
        let folder = daemon.folder();
        let mut things: BTreeSet<String> = leaks::outside(daemon, true).into_iter().collect();
        things.extend(mounts(daemon));
        beneath(&folder, &folder, &mut things);
        Census {
            memory: field(daemon, "status", "VmRSS:"),
            open: open(daemon),
            database: size(&folder.join(DATABASES[0])) / 1024,
            things,
            rows: DATABASES.iter().flat_map(|file| rows(&folder.join(file))).collect(),
        }
    }

    /// What is there now and was not before, and what is no longer there; but for memory and the like, which differ.
    pub fn differences(&self, before: &Census) -> Vec<String> {
        let more = self.things.difference(&before.things).map(|thing| format!("+ {thing}"));
        let less = before.things.difference(&self.things).map(|thing| format!("- {thing}"));
        let mut all: Vec<String> = more.chain(less).collect();
        for (table, now) in &self.rows {
            let then = before.rows.get(table).copied().unwrap_or_default();
            if *now != then && !PASSING.contains(&table.as_str()) {
                all.push(format!("{table} has {now} rows, and had {then}"));
            }
        }
        all
    }

    /// How many things there are of a kind, such as `mount`.
    pub fn count(&self, kind: &str) -> usize {
        let of_kind =
            |thing: &&String| thing.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' '));
        self.things.iter().filter(of_kind).count()
    }
}

/// A field of a daemon's process, such as `VmRSS:` in KiB.
///
/// # Panics
/// It does not run, or has no such field.
#[track_caller]
pub fn field(daemon: &Daemon, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(proc(daemon, file)).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{file} has no {key}"))
}

#[track_caller]
fn proc(daemon: &Daemon, file: &str) -> String {
    let pid = daemon.pid().unwrap_or_else(|| panic!("it does not run"));
    format!("/proc/{pid}/{file}")
}

fn open(daemon: &Daemon) -> u64 {
    fs::read_dir(proc(daemon, "fd")).map_or(0, |entries| entries.count() as u64)
}

/// Those the daemon itself sees.
fn mounts(daemon: &Daemon) -> Vec<String> {
    let table = fs::read_to_string(proc(daemon, "mountinfo")).unwrap_or_default();
    let folder = daemon.folder().display().to_string();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    places
        .filter(|place| place.starts_with(&folder))
        .map(|place| format!("mount {place}"))
        .collect()
}

/// All files of the state, but for databases and for what is in images.
fn beneath(top: &Path, folder: &Path, things: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(top).unwrap_or(&path).display().to_string();
        if UNCOUNTED.iter().any(|own| name.starts_with(own)) || name.ends_with(OF_POOL) {
            continue;
        }
        let below = entry.file_type().is_ok_and(|kind| kind.is_dir()) && !name.ends_with("rootfs");
        things.insert(format!("file {name}"));
        if below {
            beneath(top, &path, things);
        }
    }
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |found| found.len())
}

fn rows(file: &Path) -> BTreeMap<String, u64> {
    let file = file.to_string_lossy();
    let ask = |sql: &str| host(&["sqlite3", "-readonly", &file, sql]).text();
    let tables = ask("SELECT name FROM sqlite_master WHERE type = 'table'");
    let count = |table: &str| {
        let rows = ask(&format!("SELECT count(*) FROM \"{table}\"")).trim().parse().ok()?;
        Some((table.to_owned(), rows))
    };
    tables.lines().filter_map(count).collect()
}
