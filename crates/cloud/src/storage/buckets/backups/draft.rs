//! What rows become of a backup's index, which anybody may have written: all of it is checked as a
//! request would be.

use images::backup::Index;
use store::Read;
use wire::{StorageBucketKey, StorageBucketsPost};

use crate::{
    Error, Result, World,
    db::buckets::{self as rows, Bucket, Key},
    storage::buckets::{create, keys},
};

/// The rows of a backup as a bucket that is called `name`, or as it was called.
pub(super) fn of_backup(
    db: &Read<'_>,
    world: &World,
    (pool, project): (&str, &str),
    name: Option<&str>,
    index: &Index,
) -> Result<(Bucket, Vec<Key>)> {
    let wrong = |why: &str| Error::invalid("backup", why);
    if index.r#type != "bucket" {
        return Err(wrong(&format!("it is one of a \"{}\", not of a bucket", index.r#type)));
    }
    let given = index.config.as_ref().and_then(|config| Some((config, config.bucket.as_ref()?)));
    let Some((config, bucket)) = given else {
        return Err(wrong("its index does not say what the bucket was"));
    };
    let new = StorageBucketsPost {
        name: name.unwrap_or(&index.name).to_owned(),
        config: bucket.config.clone(),
        description: bucket.description.clone(),
    };
    let bucket = create::draft(db, world, (pool, project), new)?;
    let mut found: Vec<Key> = Vec::new();
    for given in &config.bucket_keys {
        let key = key(db, given, &found)?;
        if found.iter().any(|other| other.name == key.name) {
            return Err(wrong(&format!("its index names key \"{}\" twice", key.name)));
        }
        found.push(key);
    }
    Ok((bucket, found))
}

/// A key as it was, unless another here is known by what it says who it is with: then it gets its own.
fn key(db: &Read<'_>, given: &StorageBucketKey, others: &[Key]) -> Result<Key> {
    let mut key = keys::draft(given.clone())?;
    let taken = rows::key_of_access(db, &key.access)?.is_some()
        || others.iter().any(|other| other.access == key.access);
    if taken {
        (key.access, key.secret) = (keys::new_access(), keys::new_secret());
    }
    Ok(key)
}
