//! The log files of an instance.

use std::path::{Path, PathBuf};

use crate::{Error, Result, World, names};

/// The names of the log files.
pub async fn list(world: &World, project: &str, name: &str) -> Result<Vec<String>> {
    files(&folder(world, project, name)?).await
}

/// The names of the files in a folder, which need not be there.
pub(super) async fn files(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut entries = match tokio::fs::read_dir(folder).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(Error::file("read", folder)(error)),
    };
    while let Some(entry) = entries.next_entry().await.map_err(Error::file("read", folder))? {
        if entry.file_type().await.is_ok_and(|kind| kind.is_file()) {
            found.extend(entry.file_name().into_string());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether it is the name of a file and no way out of its folder.
pub(super) fn plain(file: &str) -> bool {
    !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\0'])
}

/// The path of a log file that is there.
pub fn path(world: &World, project: &str, name: &str, file: &str) -> Result<PathBuf> {
    // The stock client always asks for the log of LXD's runtime: ours is the monitor's.
    let asked = if file == "lxc.log" { "monitor.log" } else { file };
    let path = folder(world, project, name)?.join(asked);
    if file != asked && !path.exists() {
        return Ok(PathBuf::from("/dev/null"));
    }
    if plain(file) && path.is_file() { Ok(path) } else { Err(Error::not_found("log file", file)) }
}

/// Deletes a log file that is there. Those that the monitor writes to would go on without a name.
pub async fn delete(world: &World, project: &str, name: &str, file: &str) -> Result<()> {
    const WRITTEN: [&str; 3] = ["monitor.log", "console.log", "lxc.log"];
    if WRITTEN.contains(&file) {
        let (what, name) = ("log file", file.to_owned());
        return Err(Error::Fixed { what, name, verb: "deleted" });
    }
    let path = path(world, project, name, file)?;
    tokio::fs::remove_file(&path).await.map_err(Error::file("delete", &path))
}

fn folder(world: &World, project: &str, name: &str) -> Result<PathBuf> {
    world.store.read(|db| super::find(db, project, name))?;
    Ok(world.dirs.log(&names::instance_id(project, name)))
}
