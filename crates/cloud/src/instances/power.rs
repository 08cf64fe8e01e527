//! Notes whether an instance runs: in its row, or beside the database while too few members can be reached to change
//! that. The member that has an instance is the only one that starts and stops it, so nobody else needs to agree.
//!
//! ```text
//! started, stopped ── a majority is there ──> its row
//!                  └─ none is there ──> `powers.json` ── one is there again (reconcile/powers.rs) ──> its row
//! ```
//! What stands in the file is newer than the row.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use options::instance::PowerState;
use serde::{Deserialize, Serialize};
use store::Read;
use tokio::sync::watch;

use super::{templates, volatile};
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::instances::{self as rows, Instance},
};

/// Between two looks whether the majority is still there, while a note is written.
const LOOK: Duration = Duration::from_millis(100);

/// Whether an instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Power {
    /// It was started.
    Running,
    /// It ended.
    Stopped,
}

/// What was noted of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// When the instance was made: another one may get its row's key.
    of: DateTime<Utc>,
    pub(crate) power: Power,
    at: DateTime<Utc>,
}

/// What was noted beside the database, by the keys of the instances' rows.
#[derive(Debug)]
pub struct Powers {
    file: PathBuf,
    notes: Arc<Mutex<BTreeMap<i64, Note>>>,
    changed: watch::Sender<u64>,
}

impl Powers {
    /// Reads what an earlier daemon noted.
    pub(crate) fn open(file: &Path) -> Powers {
        let notes = read(file).unwrap_or_else(|error| {
            tracing::error!(file = %file.display(), %error, "what was started and stopped is not known");
            BTreeMap::new()
        });
        let notes = Arc::new(Mutex::new(notes));
        Powers { file: file.to_owned(), notes, changed: watch::Sender::new(0) }
    }

    /// Changes with each note that is to get into its row.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether an instance ran when it was last heard of.
    pub(crate) fn was_running(&self, row: &Instance) -> bool {
        match self.of(row) {
            Some(note) => note.power == Power::Running,
            None => volatile::was_running(&row.config),
        }
    }

    /// Whether something of an instance is not in its row yet.
    pub(crate) fn has(&self, row: &Instance) -> bool {
        self.of(row).is_some()
    }

    fn of(&self, row: &Instance) -> Option<Note> {
        lock(&self.notes).get(&row.id).filter(|note| note.of == row.created_at).cloned()
    }

    pub(crate) fn all(&self) -> BTreeMap<i64, Note> {
        lock(&self.notes).clone()
    }

    /// Keeps a note, durably.
    async fn keep(&self, row: &Instance, power: Power) -> Result<()> {
        let note = Note { of: row.created_at, power, at: clock::utc() };
        let id = row.id;
        self.change(move |notes| notes.insert(id, note.clone()).as_ref() != Some(&note)).await?;
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Forgets what was noted of an instance.
    async fn forget(&self, id: i64) -> Result<()> {
        if !lock(&self.notes).contains_key(&id) {
            return Ok(());
        }
        self.change(move |notes| notes.remove(&id).is_some()).await
    }

    /// The same, if it is this still.
    async fn done(&self, id: i64, note: Note) -> Result<()> {
        let change = move |notes: &mut BTreeMap<i64, Note>| {
            notes.get(&id) == Some(&note) && notes.remove(&id).is_some()
        };
        self.change(change).await
    }

    /// Changes the notes and, if that says so, the file.
    async fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<i64, Note>) -> bool + Send + 'static,
    ) -> Result<()> {
        let (file, notes) = (self.file.clone(), self.notes.clone());
        blocking("note what runs", move || {
            // Held until it is written, so that the newest is what is written last.
            let mut notes = lock(&notes);
            if !change(&mut notes) {
                return Ok(());
            }
            write(&file, &notes).map_err(Error::file("write", &file))
        })
        .await
    }
}

fn lock(notes: &Mutex<BTreeMap<i64, Note>>) -> MutexGuard<'_, BTreeMap<i64, Note>> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(file: &Path) -> io::Result<BTreeMap<i64, Note>> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Puts a new file in the place of the old one; none where there is nothing to note.
fn write(file: &Path, notes: &BTreeMap<i64, Note>) -> io::Result<()> {
    if notes.is_empty() {
        return fs::remove_file(file).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
    }
    let new = file.with_extension("new");
    let mut written = fs::File::create(&new)?;
    written.write_all(&serde_json::to_vec(notes).map_err(io::Error::other)?)?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    let folder = file.parent().map(fs::File::open).transpose()?;
    folder.map_or(Ok(()), |folder| folder.sync_all())
}

/// Notes whether an instance runs; one that is gone is Ok.
///
/// # Errors
/// When it runs and had its memory kept, which only the database can say: a start after this one would go on with
/// that memory, and the disk has moved on.
pub(crate) async fn note(world: &World, old: &Instance, power: Power) -> Result<()> {
    let row = world.store.read(|db| find(db, old))?;
    let Some(row) = row else {
        return if power == Power::Running { Err(gone(old)) } else { Ok(()) };
    };
    let must = power == Power::Running && row.stateful;
    if must || world.has_majority() {
        // What was noted before is older; it must not be written after this.
        world.powers.forget(row.id).await?;
        let written = world.store.write(|db| {
            let Some(mut row) = find(db, old)? else {
                return if power == Power::Running { Err(gone(old)) } else { Ok(()) };
            };
            if power == Power::Running {
                volatile::keep_links(&mut row.config, &old.config);
            }
            set(db, row, power, clock::utc())
        });
        let done = match must {
            true => Some(written.await),
            false => while_led(world, written).await,
        };
        match done {
            Some(Err(Error::Store(store::Error::NoQuorum | store::Error::Uncertain))) if !must => {}
            Some(done) => return done,
            None => {}
        }
    }
    world.powers.keep(&row, power).await
}

/// What a write gives, or nothing once the majority is lost, as its cable may just have been pulled. The write may still
/// take effect then; what is noted in its place is the same, and comes after it.
async fn while_led<R>(world: &World, written: impl Future<Output = R>) -> Option<R> {
    let lost = async {
        while world.has_majority() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        done = written => Some(done),
        () = lost => None,
    }
}

fn gone(row: &Instance) -> Error {
    Error::not_found("instance", &row.name)
}

fn find(db: &Read<'_>, old: &Instance) -> Result<Option<Instance>> {
    let row = rows::get(db, &old.project, &old.name)?;
    // Who has it now notes it.
    let me = crate::db::members::own_name(db)?;
    Ok(row.filter(|row| row.member == me))
}

fn set(
    db: &mut store::Write<'_>,
    mut row: Instance,
    power: Power,
    at: DateTime<Utc>,
) -> Result<()> {
    let word = match power {
        Power::Running => PowerState::Running,
        Power::Stopped => PowerState::Stopped,
    };
    volatile::set_power(&mut row.config, word);
    if power == Power::Running && !row.stateful {
        templates::done(&mut row.config);
    }
    rows::set_config(db, row.id, &row.config)?;
    if power == Power::Running {
        rows::set_stateful(db, row.id, false)?;
        rows::set_last_used(db, row.id, at)?;
    }
    Ok(())
}

/// Puts what was noted of an instance into its row; the row, if it is to be deleted now, as it was ephemeral and stopped.
pub(crate) async fn bring_in(world: &World, id: i64, note: &Note) -> Result<Option<Instance>> {
    let me = world.me();
    let written = world.store.write(|db| {
        let is = |row: &Instance| row.created_at == note.of && row.member == me;
        let row = rows::by_id(db, id)?.filter(is);
        // A start or a stop that came meanwhile has noted something newer.
        let row = row.filter(|row| world.powers.of(row).as_ref() == Some(note));
        let Some(row) = row else { return Ok(None) };
        set(db, row.clone(), note.power, note.at)?;
        Ok::<_, Error>(Some(row))
    });
    let row = written.await?;
    world.powers.done(id, note.clone()).await?;
    Ok(row.filter(|row| row.ephemeral && note.power == Power::Stopped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn notes_outlive_a_daemon_and_go_when_they_are_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("powers.json");
        let note = |power| Note { of: DateTime::UNIX_EPOCH, power, at: DateTime::UNIX_EPOCH };
        let powers = Powers::open(&file);
        let put = note(Power::Running);
        let new = put.clone();
        powers.change(move |notes| notes.insert(7, new).is_none()).await.unwrap();
        let next = Powers::open(&file);
        assert_eq!(next.all(), BTreeMap::from([(7, put.clone())]));
        // Another one came meanwhile: the one that was brought in is not it.
        next.done(7, note(Power::Stopped)).await.unwrap();
        assert_eq!(Powers::open(&file).all().len(), 1);
        next.done(7, put).await.unwrap();
        assert!(!file.exists());
        fs::write(&file, "{").unwrap();
        assert!(Powers::open(&file).all().is_empty());
    }
}
