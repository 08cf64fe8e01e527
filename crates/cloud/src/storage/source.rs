//! Whose a pool's source is. Two pools on one folder or disk would clean up, and delete, each other's
//! files, so nobody gets what another pool has: not by another name, nor a folder in it or around it.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use options::Raw;

use crate::{
    Error, Result, World,
    blocking::blocking,
    db::pools::{self as rows, Pool},
};

/// The claim of whoever looks whether a source is free and then takes it.
pub(super) const CLAIM: &str = "pool-sources";

/// Where a pool is, whatever its name in the configuration.
#[derive(Debug)]
enum Place {
    /// A disk by its device number.
    Disk(u64),
    /// A folder, or a file that is not there yet, by its true path.
    Path(PathBuf),
}

impl Place {
    fn of(path: &Path) -> Place {
        match fs::metadata(path) {
            Ok(stat) if stat.file_type().is_block_device() => Place::Disk(stat.rdev()),
            // What is not there cannot be followed; the driver says so.
            _ => Place::Path(path.canonicalize().unwrap_or_else(|_| path.to_owned())),
        }
    }

    fn overlaps(&self, other: &Place) -> bool {
        match (self, other) {
            (Place::Disk(one), Place::Disk(other)) => one == other,
            (Place::Path(one), Place::Path(other)) => {
                one.starts_with(other) || other.starts_with(one)
            }
            _ => false,
        }
    }
}

/// The other pool that has the source of this one.
pub(super) async fn owner(world: &World, name: &str, config: &Raw) -> Result<Option<String>> {
    let Some(source) = config.get("source").map(PathBuf::from) else { return Ok(None) };
    let all = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    let others: Vec<(String, Vec<PathBuf>)> = all
        .into_iter()
        .filter(|other| other.name != name)
        .map(|other| (other.name.clone(), places(world, &other)))
        .collect();
    blocking("look at the source", move || {
        let wanted = Place::of(&source);
        let has =
            |places: &Vec<PathBuf>| places.iter().any(|place| Place::of(place).overlaps(&wanted));
        let found = others.into_iter().find(|(_, places)| has(places));
        Ok::<_, Error>(found.map(|(name, _)| name))
    })
    .await
}

/// What a pool has: its source, and its folder in the state folder.
fn places(world: &World, pool: &Pool) -> Vec<PathBuf> {
    let source = pool.config.get("source").map(PathBuf::from);
    source.into_iter().chain([world.dirs.pool(&pool.name)]).collect()
}

/// Refuses a source that another pool has.
pub(crate) async fn check_free(world: &World, pool: &Pool) -> Result<()> {
    match owner(world, &pool.name, &pool.config).await? {
        None => Ok(()),
        Some(owner) => {
            let source = pool.config.get("source").unwrap_or_default();
            let why =
                format!("\"{source}\" belongs to the storage pool \"{owner}\": choose another");
            Err(Error::invalid("source", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_overlaps_itself_and_what_is_in_it_and_no_namesake() {
        let place = |path: &str| Place::Path(path.into());
        for (one, other, overlap) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b/c", true),
            ("/a/b/c", "/a/b", true),
            ("/a/b", "/a/bc", false),
            ("/a/b", "/a/c", false),
        ] {
            assert_eq!(place(one).overlaps(&place(other)), overlap, "{one} {other}");
        }
        assert!(Place::Disk(7).overlaps(&Place::Disk(7)));
        assert!(!Place::Disk(7).overlaps(&Place::Disk(8)));
        assert!(!Place::Disk(7).overlaps(&place("/")));
    }
}
