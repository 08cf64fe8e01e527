//! What a volume's options may be, which depends on what it holds.

use options::{AnyVolumeOptions, Options, Raw, VolumeOptions};
use storage::{Content, Shape};
use uuid::Uuid;

use crate::{
    Error, Result,
    db::{pools::Pool, volumes::Volume},
    storage::{making, volume_table},
};

/// Size of a disk that is given none, as with LXD.
const DISK: &str = "10GiB";
/// Disks are whole multiples of this: what guests take as a sector.
pub(super) const SECTOR: u64 = 4096;

/// Keys that mean nothing to a disk.
const OF_FILES: [&str; 5] =
    ["initial.gid", "initial.mode", "initial.uid", "security.shifted", "security.unmapped"];
/// Keys that mean nothing to files.
const OF_DISKS: [&str; 1] = ["security.shared"];

/// The contents a volume can be made with, and how the pool keeps them.
pub(super) fn content(word: &str) -> Result<(&'static str, Content)> {
    match word {
        "" | "filesystem" => Ok(("filesystem", Content::Filesystem)),
        "block" => Ok(("block", Content::Block)),
        "iso" => {
            let why = "\"iso\": such a volume is made by importing the file";
            Err(Error::invalid("content type", why))
        }
        _ => Err(Error::invalid("content type", format!("\"{word}\": filesystem, block"))),
    }
}

/// The word for what a volume in a backup holds.
pub(super) fn known(word: &str) -> Result<&'static str> {
    match word {
        "iso" => Ok("iso"),
        other => Ok(content(other)?.0),
    }
}

/// How the pool keeps what a row says.
pub(super) fn kept_as(content: &str) -> Content {
    match content {
        "filesystem" => Content::Filesystem,
        "iso" => Content::Iso,
        _ => Content::Block,
    }
}

/// Keys that mean nothing to what never changes.
const OF_CHANGES: [&str; 4] =
    ["size", "snapshots.expiry", "snapshots.pattern", "snapshots.schedule"];

/// Whether the key does not fit what the volume holds.
fn is_foreign(key: &str, content: &str) -> bool {
    let of_files = OF_FILES.contains(&key)
        || key.starts_with("block.")
        || ["zfs.block_mode", "zfs.delegate"].contains(&key);
    match content {
        "filesystem" => OF_DISKS.contains(&key),
        "iso" => of_files || OF_CHANGES.contains(&key),
        _ => of_files,
    }
}

/// Whether the key is of the volumes of some drivers alone.
fn is_drivers(key: &str) -> bool {
    VolumeOptions::TABLE.find(key).is_none() && AnyVolumeOptions::TABLE.find(key).is_some()
}

/// Takes out what means nothing in a pool of that driver, where the volume has come from another.
pub(crate) fn fit(config: &mut Raw, driver: &str) {
    let table = volume_table(driver);
    config.retain(|key, _| !is_drivers(key) || table.find(key).is_some());
}

/// Completes a new volume's options from those of its pool, and gives it an identity.
pub(super) fn complete(config: &mut Raw, pool: &Raw, content: &str) {
    for (key, value) in pool.under("volume.").iter() {
        if !is_foreign(key, content) {
            config.set_default(key, value);
        }
    }
    if content == "block" {
        config.set_default("size", DISK);
    }
    config.set("volatile.uuid", Uuid::new_v4().to_string());
}

/// Parses options and refuses those that do not fit what the volume holds, or its pool.
pub(super) fn check(config: &Raw, content: &str, pool: &Pool) -> Result<VolumeOptions> {
    let typed = AnyVolumeOptions::parse(config)?;
    making::of_volume(config, &typed)?;
    let table = volume_table(&pool.driver);
    if let Some(key) = config.keys().find(|key| is_drivers(key) && table.find(key).is_none()) {
        let why = format!("{key} means nothing in a pool of {}", pool.driver);
        return Err(Error::invalid("configuration", why));
    }
    if let Some(key) = config.keys().find(|key| is_foreign(key, content)) {
        let why = format!("{key} means nothing to a volume of content type {content}");
        return Err(Error::invalid("configuration", why));
    }
    Ok(typed.common)
}

/// Refuses what a root disk cannot say for the beginning of its volume (`initial.*`).
pub(crate) fn check_initial(config: &Raw, content: &str, pool: &Pool) -> Result<()> {
    if let Some(key) = config.keys().find(|key| !is_drivers(key)) {
        let why = match key {
            "size" => {
                String::from("initial.size: the size of a root is what its disk says as size")
            }
            _ => format!("initial.{key} means nothing to the root of an instance"),
        };
        return Err(Error::invalid("initial options", why));
    }
    check(config, content, pool).map(drop)
}

/// What the pool is to make.
pub(crate) fn shape(config: &Raw, content: Content) -> Result<Shape> {
    let typed = AnyVolumeOptions::parse(config)?;
    let making = making::of_volume(config, &typed)?;
    Ok(Shape { content, size: size(&typed.common, content), plain: true, making })
}

/// The size a volume is to have, in bytes.
pub(super) fn size(options: &VolumeOptions, content: Content) -> Option<u64> {
    let size = options.size.map(|size| size.bytes())?;
    match content {
        Content::Block => Some(size.next_multiple_of(SECTOR)),
        Content::Filesystem => (size > 0).then_some(size),
        Content::Iso => None,
    }
}

/// The size that a row says, in bytes.
pub(super) fn bytes(row: &Volume) -> Result<Option<u64>> {
    Ok(size(&super::typed(&row.config)?, kept_as(&row.content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_defaults_come_only_where_they_mean_something() {
        let pool = Raw::from([
            ("volume.size", "1GiB"),
            ("volume.initial.uid", "33"),
            ("volume.security.shared", "true"),
            ("source", "/x"),
        ]);
        let mut files = Raw::from([("size", "2GiB")]);
        complete(&mut files, &pool, "filesystem");
        let keys: Vec<_> = files.iter().filter(|(key, _)| *key != "volatile.uuid").collect();
        assert_eq!(keys, [("initial.uid", "33"), ("size", "2GiB")]);
        let mut disk = Raw::new();
        complete(&mut disk, &pool, "block");
        let keys: Vec<_> = disk.iter().filter(|(key, _)| *key != "volatile.uuid").collect();
        assert_eq!(keys, [("security.shared", "true"), ("size", "1GiB")]);
    }
}
