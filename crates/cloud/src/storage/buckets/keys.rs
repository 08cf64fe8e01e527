//! Keys to a bucket: what S3 clients sign their requests with.

use store::Read;
use uuid::Uuid;
use wire::{StorageBucketKey, StorageBucketKeyPut, StorageBucketKeysPost};

use crate::{
    Caller, Error, Result, World,
    db::buckets::{self as rows, Bucket, Key, Role},
    etag::{self, IfMatch},
};

/// A bucket as the API names it: pool, project, name.
pub type Of<'a> = (&'a str, &'a str, &'a str);

/// The keys to a bucket.
pub fn list(world: &World, of: Of<'_>) -> Result<Vec<StorageBucketKey>> {
    world.store.read(|db| {
        let bucket = bucket(db, world, of)?;
        Ok(rows::keys(db, bucket.id)?.into_iter().map(render).collect())
    })
}

/// One key.
pub fn get(world: &World, of: Of<'_>, name: &str) -> Result<StorageBucketKey> {
    world.store.read(|db| Ok(render(find(db, &bucket(db, world, of)?, name)?)))
}

/// Makes a key.
pub async fn create(
    world: &World,
    caller: &Caller,
    of: Of<'_>,
    new: StorageBucketKeysPost,
) -> Result<StorageBucketKey> {
    let StorageBucketKeysPost { name, description, role, access_key, secret_key } = new;
    let key = draft(StorageBucketKey { name, description, role, access_key, secret_key })?;
    let written = world.store.write(|db| {
        let bucket = bucket(db, world, of)?;
        if rows::key(db, bucket.id, &key.name)?.is_some() {
            return Err(Error::exists("key", &key.name));
        }
        check_free(db, &key)?;
        rows::insert_key(db, &Key { bucket_id: bucket.id, ..key.clone() })?;
        Ok(bucket)
    });
    tell(world, caller, &written.await?, "created", &key.name);
    Ok(render(key))
}

/// The row of a new key. What it does not say is found.
pub(super) fn draft(new: StorageBucketKey) -> Result<Key> {
    options::names::check_bucket_key(&new.name).map_err(|why| Error::invalid("key name", why))?;
    let chosen = |given: String, new: fn() -> String| match given.is_empty() {
        true => new(),
        false => given,
    };
    let key = Key {
        id: 0,
        bucket_id: 0,
        name: new.name,
        description: new.description,
        role: role(&new.role)?,
        access: chosen(new.access_key, new_access),
        secret: chosen(new.secret_key, new_secret),
    };
    check(&key)?;
    Ok(key)
}

/// Changes a key to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    of: Of<'_>,
    name: &str,
    seen: IfMatch,
    put: StorageBucketKeyPut,
) -> Result<()> {
    let role = role(&put.role)?;
    let written = world.store.write(|db| {
        let bucket = bucket(db, world, of)?;
        let old = find(db, &bucket, name)?;
        etag::check(&seen, &render(old.clone()).writable(), "key", name)?;
        let kept = |given: &str, old: String| if given.is_empty() { old } else { given.to_owned() };
        let new = Key {
            description: put.description.clone(),
            role,
            access: kept(&put.access_key, old.access),
            secret: kept(&put.secret_key, old.secret),
            ..old
        };
        check(&new)?;
        check_free(db, &new)?;
        rows::update_key(db, &new)?;
        Ok::<_, Error>(bucket)
    });
    tell(world, caller, &written.await?, "updated", name);
    Ok(())
}

/// Deletes a key. Requests that are signed with it are refused from now on.
pub async fn delete(world: &World, caller: &Caller, of: Of<'_>, name: &str) -> Result<()> {
    let deleted = world.store.write(|db| {
        let bucket = bucket(db, world, of)?;
        let key = find(db, &bucket, name)?;
        rows::delete_key(db, key.id)?;
        Ok::<_, Error>(bucket)
    });
    tell(world, caller, &deleted.await?, "deleted", name);
    Ok(())
}

fn bucket(db: &Read<'_>, world: &World, (pool, project, name): Of<'_>) -> Result<Bucket> {
    super::find(db, &world.me(), pool, project, name)
}

fn find(db: &Read<'_>, bucket: &Bucket, name: &str) -> Result<Key> {
    rows::key(db, bucket.id, name)?.ok_or_else(|| Error::not_found("key", name))
}

fn tell(world: &World, caller: &Caller, bucket: &Bucket, verb: &str, key: &str) {
    let path = format!("storage-pools/{}/buckets/{}/keys", bucket.pool, bucket.name);
    let address = crate::url::of(&path, key, &bucket.project);
    world.tell(caller, &bucket.project, &format!("storage-bucket-key-{verb}"), address);
}

pub(super) fn render(key: Key) -> StorageBucketKey {
    StorageBucketKey {
        name: key.name,
        description: key.description,
        role: key.role.word().to_owned(),
        access_key: key.access,
        secret_key: key.secret,
    }
}

fn role(word: &str) -> Result<Role> {
    match word {
        "" => Ok(Role::ReadOnly),
        word => Role::read(word)
            .ok_or_else(|| Error::invalid("role", format!("\"{word}\": admin or read-only"))),
    }
}

/// The access key stands in a header between slashes and commas; the lengths are those that S3
/// clients take.
fn check(key: &Key) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
    if !(3..=128).contains(&key.access.len()) || !key.access.chars().all(plain) {
        let why = "3 to 128 letters, digits and any of -_.+@";
        return Err(Error::invalid("access key", why));
    }
    if !(8..=128).contains(&key.secret.len()) || !key.secret.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Error::invalid("secret key", "8 to 128 letters, digits and signs"));
    }
    Ok(())
}

pub(super) fn check_free(db: &Read<'_>, key: &Key) -> Result<()> {
    match rows::key_of_access(db, &key.access)? {
        Some(other) if other.id != key.id => Err(Error::exists("access key", &key.access)),
        _ => Ok(()),
    }
}

/// As long as those of S3 itself.
pub(super) fn new_access() -> String {
    random(20, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
}

pub(super) fn new_secret() -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    random(40, letters)
}

/// Letters by chance: their number divides 256, so that each is as likely. Two bytes of a random
/// UUID are partly fixed (RFC 9562, 5.4).
fn random(length: usize, letters: &[u8]) -> String {
    let bytes = std::iter::repeat_with(|| Uuid::new_v4().into_bytes()).flat_map(|bytes| {
        bytes.into_iter().enumerate().filter(|(at, _)| ![6, 8].contains(at)).map(|(_, byte)| byte)
    });
    bytes.take(length).map(|byte| char::from(letters[usize::from(byte) % letters.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_of_their_length_and_never_the_same() {
        let (one, other) = (new_secret(), new_secret());
        assert!(one.len() == 40 && one != other, "{one} {other}");
        assert_eq!(new_access().len(), 20);
    }

    #[test]
    fn what_would_break_a_header_is_no_key() {
        let key = |access: &str, secret: &str| Key {
            id: 0,
            bucket_id: 0,
            name: "k".into(),
            description: String::new(),
            role: Role::Admin,
            access: access.into(),
            secret: secret.into(),
        };
        check(&key("me", "long enough")).unwrap_err();
        for access in ["a/b", "a,b", "a b", "a=b", "aé", ""] {
            assert!(check(&key(access, "0123456789")).is_err(), "{access}");
        }
        for secret in ["short", "with space", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", ""] {
            assert!(check(&key("abc", secret)).is_err(), "{secret}");
        }
        check(&key("me@home", "p4ss/word+=")).unwrap();
    }
}
