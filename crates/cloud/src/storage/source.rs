//! Whose a pool's source is. Two pools on one folder or disk would clean up, and delete, each other's
//! files, so nobody gets what another pool has: not by another name, nor a folder in it or around it. Some
//! drivers know a source by a name as well: it is no path, whatever lies in the folder where the daemon runs.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::PathBuf,
};

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
    /// What a driver knows by a name: a volume group, a dataset and those in it, a pool of a Ceph.
    Name(String, PathBuf),
}

/// A source as it is given, and whose name it is if it can be one.
type Source = (String, PathBuf);

impl Place {
    fn of((names, path): &Source) -> Place {
        if path.is_relative() && !names.is_empty() {
            return Place::Name(names.clone(), path.clone());
        }
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
            (Place::Name(of, one), Place::Name(of_other, other)) => {
                of == of_other && (one.starts_with(other) || other.starts_with(one))
            }
            _ => false,
        }
    }
}

/// The other pool that has the source of this one.
pub(super) async fn owner(world: &World, pool: &Pool) -> Result<Option<String>> {
    let Some(source) = given(pool) else { return Ok(None) };
    let all = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    let others: Vec<(String, Vec<Source>)> = all
        .into_iter()
        .filter(|other| other.name != pool.name)
        .map(|other| (other.name.clone(), places(world, &other)))
        .collect();
    blocking("look at the source", move || {
        let wanted = Place::of(&source);
        let has =
            |places: &Vec<Source>| places.iter().any(|place| Place::of(place).overlaps(&wanted));
        let found = others.into_iter().find(|(_, places)| has(places));
        Ok::<_, Error>(found.map(|(name, _)| name))
    })
    .await
}

/// The source of a pool, and whose name it is if it is one: that of a driver, or of one Ceph of several.
fn given(pool: &Pool) -> Option<Source> {
    let names = match pool.driver.as_str() {
        "ceph" => pool.config.get("ceph.cluster_name").unwrap_or("ceph"),
        "lvm" | "zfs" => &pool.driver,
        _ => "",
    };
    let source = pool.config.get("source")?;
    Some((names.to_owned(), source.into()))
}

/// What a pool has: its source, and its folder in the state folder.
fn places(world: &World, pool: &Pool) -> Vec<Source> {
    given(pool).into_iter().chain([(String::new(), world.dirs.pool(&pool.name))]).collect()
}

/// Refuses a source that another pool has.
pub(crate) async fn check_free(world: &World, pool: &Pool) -> Result<()> {
    match owner(world, pool).await? {
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
        let name = |of: &str, name: &str| Place::of(&(of.into(), name.into()));
        for (one, other, overlap) in [
            (name("ceph", "tmp"), name("ceph", "tmp"), true),
            (name("zfs", "tank"), name("zfs", "tank/homes"), true),
            (name("zfs", "tank"), name("zfs", "tanks"), false),
            (name("lvm", "tank"), name("zfs", "tank"), false),
            (name("ceph", "tmp"), name("away", "tmp"), false),
            // There is such a folder at the root of every machine.
            (name("ceph", "tmp"), name("", "/tmp"), false),
        ] {
            assert_eq!(one.overlaps(&other), overlap, "{one:?} {other:?}");
        }
        assert!(Place::Disk(7).overlaps(&Place::Disk(7)));
        assert!(!Place::Disk(7).overlaps(&Place::Disk(8)));
        assert!(!Place::Disk(7).overlaps(&place("/")));
    }
}
