//! Deletes objects.

use crate::{Error, Object, Result, Store, index};

impl Store {
    /// Deletes an object if `wanted` says so of it; an absent one is Ok. True when there was one.
    pub fn delete(&self, key: &str, wanted: impl FnOnce(&Object) -> bool) -> Result<bool> {
        let there = self.write(|tx| {
            let Some(object) = index::find(tx, key)? else { return Ok(false) };
            if !wanted(&object) {
                return Err(Error::Condition { key: key.to_owned() });
            }
            index::remove(tx, &object)?;
            Ok(true)
        })?;
        if there {
            self.sweep();
        }
        Ok(there)
    }

    /// Deletes objects, all or none; absent ones are Ok.
    pub fn delete_many(&self, keys: &[String]) -> Result<()> {
        self.write(|tx| {
            for key in keys {
                if let Some(object) = index::find(tx, key)? {
                    index::remove(tx, &object)?;
                }
            }
            Ok(())
        })?;
        self.sweep();
        Ok(())
    }
}
