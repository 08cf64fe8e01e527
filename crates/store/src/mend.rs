//! A damaged file is set aside before the store is opened, and what it held is had from the others.
//!
//! ```text
//! state.db ── damaged ──> the snapshot or a copy, brought forward from the log       nothing is lost
//! log.db ──── damaged ──> the state as it is                                         what was not in it yet
//! both ────── damaged ──> the newest copy                                            what came after it
//! snapshot.db damaged ──> another one, of the state                                  nothing
//! ```
//! A log that is lost is made anew only where there is no other member: it may be what a majority counted on, and
//! the others have all that is in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::Connection;

use crate::copies::{self, Copy};
use crate::error::{BoxError, Error, Result};
use crate::files::{self, Folder};
use crate::log_file::{Identity, LogFile};
use crate::meta::Meta;
use crate::options::Member;
use crate::raft::LogId;
use crate::{log, recover, snapshot};

const LOG: &str = "log.db";
const STATE: &str = "state.db";
const SNAPSHOT: &str = "snapshot.db";

/// A damaged file, and how that showed.
pub type Damage = (&'static str, String);

/// What was damaged and what was done about it.
#[derive(Clone, Debug)]
pub struct Mended {
    /// The files.
    pub damaged: Vec<Damage>,
    /// Where they are now.
    pub aside: PathBuf,
    /// What is lost.
    pub lost: Lost,
}

/// What a damaged file took with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// All of it was elsewhere too.
    Nothing,
    /// What was written in the moment before the store ended, if anything.
    Newest,
    /// What was changed after this.
    Since(SystemTime),
}

/// What a sound log says.
struct Logged {
    identity: Identity,
    purged: Option<LogId>,
}

/// Looks whether the files of a store can be read, and mends them. The store must not be open.
///
/// # Errors
/// [`Error::Damaged`] when the damage cannot be mended from what is there. Then nothing was changed.
pub fn mend(dir: &Path) -> Result<Option<Mended>> {
    if !dir.exists() {
        return Ok(None);
    }
    let folder = Folder::lock(dir)?;
    let (log, state) = (folder.log(), folder.state());
    if !log.exists() && !state.exists() {
        return Ok(None);
    }
    let mut damaged: Vec<Damage> = Vec::new();
    if let Some(error) =
        copies::read(&folder.snapshot()).err().filter(|_| folder.snapshot().exists())
    {
        damaged.push((SNAPSHOT, error.to_string()));
    }
    match (read_log(&log), read_state(&state)) {
        (Ok(Some(logged)), state) => match state {
            // One that is not there is made anew from the log, where that has all of it.
            Ok(state) if state.is_some() || logged.purged.is_none() => {
                without_snapshot(&folder, damaged)
            }
            state => {
                damaged.push((STATE, said(state.err())));
                without_state(&folder, &logged, damaged).map(Some)
            }
        },
        // A crash while the folder was made.
        (Ok(None), Ok(None)) => Ok(None),
        (log, state) => {
            damaged.push((LOG, said(log.err())));
            without_log(&folder, damaged, state).map(Some)
        }
    }
}

fn said(error: Option<BoxError>) -> String {
    error.map_or_else(|| "is missing or empty".into(), |error| error.to_string())
}

fn without_snapshot(folder: &Folder, damaged: Vec<Damage>) -> Result<Option<Mended>> {
    if damaged.is_empty() {
        return Ok(None);
    }
    let aside = set_aside(folder, &[SNAPSHOT])?;
    Ok(Some(Mended { damaged, aside, lost: Lost::Nothing }))
}

/// `None` for a log that was not begun.
fn read_log(path: &Path) -> Result<Option<Logged>, BoxError> {
    if !path.exists() {
        return Ok(None);
    }
    check(&files::open_log(path)?)?;
    let file = log::open_file(path)?;
    let Some(identity) = file.identity()? else { return Ok(None) };
    file.vote()?;
    whole(&file)?;
    Ok(Some(Logged { identity, purged: file.purged()? }))
}

/// Each entry can be read, and none is missing.
fn whole(file: &LogFile) -> Result<(), BoxError> {
    let mut before = file.purged()?.map(|id| id.index);
    for entry in file.entries(0, u64::MAX)? {
        let index = entry.log_id.index;
        if before.is_some_and(|before| index != before + 1) {
            return Err(format!("entry {index} does not follow the one before it").into());
        }
        before = Some(index);
    }
    Ok(())
}

/// `None` for a state of which there is no file.
fn read_state(path: &Path) -> Result<Option<Meta>, BoxError> {
    if !path.exists() {
        return Ok(None);
    }
    let conn = files::open_state(path)?;
    check(&conn)?;
    Meta::create_table(&conn)?;
    Ok(Some(Meta::load(&conn)?))
}

/// SQLite's own look at every page.
pub(crate) fn check(conn: &Connection) -> Result<(), BoxError> {
    let said: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(said.into()) }
}

fn without_state(folder: &Folder, logged: &Logged, damaged: Vec<Damage>) -> Result<Mended> {
    let copies = copies::sound(folder.path());
    let reaches = |copy: &&Copy| copy.meta.applied >= logged.purged;
    let source = copies.iter().find(reaches);
    if source.is_none() && logged.purged.is_some() {
        return go_back(folder, copies, damaged, Some(&logged.identity.me));
    }
    let names: Vec<&str> = damaged.iter().map(|(name, _)| *name).collect();
    let aside = set_aside(folder, &names)?;
    if let Some(copy) = source {
        put_state(folder, &copy.path)?;
    }
    Ok(Mended { damaged, aside, lost: Lost::Nothing })
}

fn without_log(
    folder: &Folder,
    mut damaged: Vec<Damage>,
    state: Result<Option<Meta>, BoxError>,
) -> Result<Mended> {
    match state {
        Ok(Some(meta)) if meta.applied.is_some() => {
            let me = sole(folder, &meta, &damaged)?;
            let aside = set_aside(folder, &[LOG, SNAPSHOT])?;
            begin(folder, &me, &meta)?;
            return Ok(Mended { damaged, aside, lost: Lost::Newest });
        }
        state => damaged.push((STATE, said(state.err()))),
    }
    go_back(folder, copies::sound(folder.path()), damaged, None)
}

/// Takes the newest copy for the whole.
fn go_back(
    folder: &Folder,
    copies: Vec<Copy>,
    damaged: Vec<Damage>,
    me: Option<&Member>,
) -> Result<Mended> {
    let newest = copies.into_iter().max_by_key(|copy| copy.meta.index());
    let newest = newest.ok_or_else(|| hopeless(folder, &damaged, "there is no copy of it"))?;
    let found = sole(folder, &newest.meta, &damaged)?;
    let aside = set_aside(folder, &[LOG, STATE, SNAPSHOT])?;
    let moved = newest.path == folder.snapshot();
    put_state(folder, &if moved { aside.join(SNAPSHOT) } else { newest.path })?;
    begin(folder, me.unwrap_or(&found), &newest.meta)?;
    Ok(Mended { damaged, aside, lost: Lost::Since(newest.made) })
}

/// The one member there is.
fn sole(folder: &Folder, meta: &Meta, damaged: &[Damage]) -> Result<Member> {
    let mut members = meta.membership.membership().nodes();
    match (members.next(), members.next()) {
        (Some((_, me)), None) => Ok(me.clone()),
        _ => Err(hopeless(
            folder,
            damaged,
            "the other members have all of it: remove this one there, and have it join again",
        )),
    }
}

fn hopeless(folder: &Folder, damaged: &[Damage], why: &str) -> Error {
    let files: Vec<String> = damaged.iter().map(|(file, how)| format!("{file}: {how}")).collect();
    folder.damaged(format!("{}; {why}", files.join("; ")))
}

/// Moves files that are there, with what SQLite keeps beside them, into a folder of their own.
fn set_aside(folder: &Folder, names: &[&str]) -> Result<PathBuf> {
    let files: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
    set_files_aside(folder.path(), &files)
}

/// Moves SQLite's files, with what belongs to each, into a new folder below `dir`: gives which one. One that is not there
/// is no error.
pub fn set_files_aside(dir: &Path, files: &[PathBuf]) -> Result<PathBuf> {
    let moved = || -> std::io::Result<PathBuf> {
        let aside = new_folder(dir)?;
        for file in files {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = file.file_name().unwrap_or_default().to_owned();
                name.push(suffix);
                match fs::rename(file.with_file_name(&name), aside.join(&name)) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    done => done?,
                }
            }
            files::sync_folder(file.parent().unwrap_or(dir))?;
        }
        files::sync_folder(&aside)?;
        files::sync_folder(dir)?;
        Ok(aside)
    };
    moved().map_err(|e| Error::file("set aside", dir, e))
}

/// One of its own, also for the second time in a second.
fn new_folder(dir: &Path) -> std::io::Result<PathBuf> {
    let stamp = copies::stamp(clock::now());
    let mut count = 1;
    loop {
        let aside = dir.join(format!("damaged-{stamp}-{count}"));
        match fs::create_dir(&aside) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => count += 1,
            made => return made.map(|()| aside),
        }
    }
}

fn put_state(folder: &Folder, copy: &Path) -> Result<()> {
    let path = folder.state();
    snapshot::put_back(copy, &path).map(drop).map_err(|e| Error::file("write", &path, e))
}

fn begin(folder: &Folder, me: &Member, meta: &Meta) -> Result<()> {
    let path = folder.log();
    recover::begin_after(folder, me, meta).map_err(|e| Error::file("write", &path, e))
}
