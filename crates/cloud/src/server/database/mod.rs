//! The server's own database as files: damage is mended before it is opened, copies are there to go back to, and a
//! backup has all that a new server needs.

mod backup;

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::{DateTime, Utc};
use store::{Lost, Mended};
use wire::{Database, DatabaseCopy};

pub use self::backup::{backup, finish, restore, restore_copy, stage};
use crate::{Dirs, Error, Result, World, disk};

/// In a folder of files that were set aside: why, for people.
const SAID: &str = "what.txt";

/// Mends what is damaged, before the database is opened; and then the journal of what was under way.
///
/// # Errors
/// When it cannot be mended. Then nothing was changed, and the error says what helps.
pub fn mend(dirs: &Dirs) -> Result<()> {
    if let Some(mended) = store::mend(&dirs.database())? {
        note(&mended.aside, &said(&mended));
    }
    let journal = dirs.local_db();
    if let Some(damage) = tasks::journal_damage(&journal) {
        let aside = store::set_files_aside(&dirs.database(), &[journal])?;
        note(&aside, &said_of_journal(&aside, &damage));
    }
    Ok(())
}

/// Tells it, and leaves it for who looks later.
fn note(aside: &Path, said: &str) {
    tracing::error!("{said}");
    if let Err(error) = disk::write(&aside.join(SAID), said.as_bytes()) {
        // The disk is full, or worse: no reason not to start.
        tracing::error!(error = %tasks::chain(&error), "what was mended is not noted");
    }
}

fn said_of_journal(aside: &Path, damage: &str) -> String {
    let aside = aside.display();
    format!(
        "the journal of what the server was about was damaged, look at the disk: local.db ({damage}); what was under \
         way when it ended is neither taken back nor finished; volumes of it: microcloud recover. It lies in {aside}, \
         until you delete it"
    )
}

fn said(mended: &Mended) -> String {
    let files: Vec<String> =
        mended.damaged.iter().map(|(file, why)| format!("{file} ({why})")).collect();
    let lost = match mended.lost {
        Lost::Nothing => String::from("nothing is lost"),
        Lost::Newest => {
            String::from("what was changed in the moment before the server ended may be lost")
        }
        Lost::Since(time) => {
            format!(
                "what was changed after {} is lost; volumes of it: microcloud recover",
                when(time)
            )
        }
    };
    let (files, aside) = (files.join(", "), mended.aside.display());
    format!(
        "the database was damaged, look at the disk: {files}; {lost}. It lies in {aside}, until you delete it"
    )
}

fn when(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).format("%Y-%m-%d %H:%M UTC").to_string()
}

/// What is told of damaged files that lie there still.
pub(crate) fn damaged(dirs: &Dirs) -> Vec<String> {
    let listed = fs::read_dir(dirs.database()).into_iter().flatten().flatten();
    let asides = listed.filter(|entry| entry.file_name().to_string_lossy().starts_with("damaged-"));
    let mut found: Vec<String> = asides
        .map(|entry| {
            // A power cut came between the two.
            let unsaid =
                |_| format!("damaged files of the database lie in {}", entry.path().display());
            fs::read_to_string(entry.path().join(SAID)).unwrap_or_else(unsaid)
        })
        .collect();
    found.sort();
    found
}

/// How large the database is, which copies there are, and what was damaged.
pub fn look(world: &World) -> Result<Database> {
    let folder = world.dirs.database();
    let copies = store::copies(&folder).into_iter().filter_map(|(path, made)| {
        Some(DatabaseCopy {
            name: path.file_stem()?.to_string_lossy().into_owned(),
            made_at: DateTime::<Utc>::from(made).into(),
            // One that is too old goes at any time.
            size: size(&path)?,
        })
    });
    Ok(Database {
        size: ["state.db", "log.db"].iter().filter_map(|name| size(&folder.join(name))).sum(),
        copies: copies.collect(),
        damaged: damaged(&world.dirs),
    })
}

fn size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|file| file.len())
}

/// The file of a copy.
fn copy(dirs: &Dirs, name: &str) -> Result<PathBuf> {
    let all = store::copies(&dirs.database()).into_iter().map(|(path, _)| path);
    let mut found = all.filter(|path| path.file_stem().is_some_and(|stem| stem == name));
    found.next().ok_or_else(|| Error::not_found("copy", name))
}

#[cfg(test)]
mod tests;
