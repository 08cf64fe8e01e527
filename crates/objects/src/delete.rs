//! Deletes objects.

use crate::{Deleted, Error, Object, Result, Store, index, versions};

impl Store {
    /// Deletes an object if `wanted` says so of it; an absent one is Ok. See [`crate::Versioning`] for what stays.
    pub fn delete(&self, key: &str, wanted: impl FnOnce(&Object) -> bool) -> Result<Deleted> {
        let deleted = self.write(|tx| {
            if index::find(tx, key)?.is_some_and(|object| !wanted(&object)) {
                return Err(Error::Condition { key: key.to_owned() });
            }
            versions::delete(tx, key)
        })?;
        self.sweep();
        Ok(deleted)
    }

    /// Deletes objects, and versions where they are named, all or none; absent ones are Ok.
    pub fn delete_many(&self, keys: &[(String, Option<String>)]) -> Result<Vec<Deleted>> {
        let deleted = self.write(|tx| {
            let one = |(key, version): &(String, Option<String>)| match version {
                None => versions::delete(tx, key),
                Some(version) => versions::delete_version(tx, key, version),
            };
            keys.iter().map(one).collect::<Result<Vec<_>>>()
        })?;
        self.sweep();
        Ok(deleted)
    }
}
