//! Backups of instances: files that are made, wait to be fetched, and go away by the clock.
//!
//! ```text
//! make:   row (creating) ─> [one that runs: pause ─> a copy of its root ─> go on] ─> file ─> row (ready)
//! import: a file that came ─> rows (creating) ─> root ─> snapshots ─> rows (ready)
//! ```
//! The layout of the file is `images::backup`'s. Files are in `backups/instances/<project>_<name>/`;
//! one that is being written has a dot before its name.

use std::path::PathBuf;

use store::Read;
use tasks::Request;

use crate::{
    Caller, Error, Result, World,
    db::{
        instance_backups::{self as rows, Backup},
        instances::{Instance, Made},
    },
    names, url,
};

mod contents;
mod delete;
mod draft;
mod import;
mod list;
mod make;
mod rename;

pub use self::{
    delete::delete,
    import::{Upload, import},
    list::{file, get, list},
    make::make,
    rename::rename,
};
pub(crate) use self::{
    delete::{Delete, expire},
    import::Import,
    list::rendered,
    make::Make,
    rename::Rename,
};

/// A backup that is whole, and its instance.
fn find(db: &Read<'_>, project: &str, instance: &str, name: &str) -> Result<(Instance, Backup)> {
    let instance = super::find(db, project, instance)?;
    let found = rows::get(db, instance.id, name)?.filter(|row| row.made == Made::Ready);
    let missing = || Error::not_found("backup", &format!("{}/{name}", instance.name));
    let backup = found.ok_or_else(missing)?;
    Ok((instance, backup))
}

/// The address of a backup.
pub fn address(project: &str, instance: &str, name: &str) -> String {
    url::of(&format!("instances/{instance}/backups"), name, project)
}

/// Where a backup's file is.
fn path(world: &World, project: &str, instance: &str, name: &str) -> PathBuf {
    folder(world, project, instance).join(name)
}

fn folder(world: &World, project: &str, instance: &str) -> PathBuf {
    world.dirs.backups_of(&names::instance_id(project, instance))
}

/// An operation on a backup. The whole instance is claimed.
fn request(
    world: &World,
    words: &str,
    caller: &Caller,
    project: &str,
    instance: &str,
    name: &str,
) -> Request {
    // Clients of LXD 5.0 take the name from this form alone.
    super::request(world, words, caller, project, instance)
        .resource("backups", format!("/1.0/backups/{name}"))
}

/// Removes a file; none is Ok.
async fn remove(path: PathBuf) -> Result<()> {
    match tokio::fs::remove_file(&path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", &path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes the files of all backups of an instance; none is Ok.
pub(super) async fn remove_all(world: &World, project: &str, instance: &str) -> Result<()> {
    let folder = folder(world, project, instance);
    match tokio::fs::remove_dir_all(&folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", &folder)(error))
        }
        _ => Ok(()),
    }
}

/// Moves the files of all backups along with an instance; none is Ok.
pub(super) async fn follow(world: &World, from: (&str, &str), to: (&str, &str)) -> Result<()> {
    let (from, to) = (folder(world, from.0, from.1), folder(world, to.0, to.1));
    match tokio::fs::rename(&from, &to).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("move", &from)(error))
        }
        _ => Ok(()),
    }
}
