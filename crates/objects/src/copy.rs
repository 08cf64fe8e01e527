//! Copies contents without reading them: their files get second names.

use std::sync::Arc;

use crate::draft::{Contents, Owned};
use crate::get::Guard;
use crate::{Object, Result, Store, Written};

impl Store {
    /// The contents of an object once more, to be put under another key.
    pub fn copy(self: &Arc<Self>, object: &Object) -> Result<Written> {
        let _guard = Guard::new(self);
        let mut reader = self.reader(object, 0..object.size)?;
        let (size, etag) = (object.size, object.etag.clone());
        let Some(first) = reader.blob() else {
            let bytes = reader.next(usize::try_from(size).unwrap_or(usize::MAX))?;
            return Ok(Written { contents: Contents::Small(bytes), size, etag });
        };
        let mut blobs = Vec::new();
        for (blob, size) in std::iter::once(first).chain(reader.rest()) {
            blobs.push((Owned::new(self.blobs(), self.blobs().link(&blob)?), size));
        }
        self.blobs().sync()?;
        Ok(Written { contents: Contents::Blobs(blobs), size, etag })
    }
}
