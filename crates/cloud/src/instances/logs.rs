//! The log files of an instance.

use std::path::PathBuf;

use crate::{Error, Result, World, names};

/// The names of the log files.
pub async fn list(world: &World, project: &str, name: &str) -> Result<Vec<String>> {
    let folder = folder(world, project, name)?;
    let mut found = Vec::new();
    let mut entries = match tokio::fs::read_dir(&folder).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(Error::file("read", &folder)(error)),
    };
    while let Some(entry) = entries.next_entry().await.map_err(Error::file("read", &folder))? {
        found.extend(entry.file_name().into_string());
    }
    found.sort();
    Ok(found)
}

/// The path of a log file that is there.
pub fn path(world: &World, project: &str, name: &str, file: &str) -> Result<PathBuf> {
    let plain = !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\0']);
    // The stock client always asks for the log of LXD's runtime: ours is the monitor's.
    let asked = if file == "lxc.log" { "monitor.log" } else { file };
    let path = folder(world, project, name)?.join(asked);
    if file != asked && !path.exists() {
        return Ok(PathBuf::from("/dev/null"));
    }
    if plain && path.is_file() { Ok(path) } else { Err(Error::not_found("log file", file)) }
}

fn folder(world: &World, project: &str, name: &str) -> Result<PathBuf> {
    world.store.read(|db| super::find(db, project, name))?;
    Ok(world.dirs.log(&names::instance_id(project, name)))
}
