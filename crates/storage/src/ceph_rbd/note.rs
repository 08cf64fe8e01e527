//! What a volume is, as noted with its image (`rbd image-meta`): with the names of images enough to read a pool without
//! a database, on any member.

use std::time::{Duration, UNIX_EPOCH};

use exec::mkfs::FileSystem;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Content, Error, Making, Result, Shape, VolumeInfo, VolumeKind};

/// Its key.
pub(super) const KEY: &str = "microcloud";

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) version: u32,
    /// Its identity, which it keeps under every name.
    pub(super) uuid: Uuid,
    pub(super) kind: VolumeKind,
    pub(super) content: Content,
    /// What its files lie in.
    pub(super) files: FileSystem,
    /// The size that was asked for, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// What it chooses for itself.
    #[serde(default, skip_serializing_if = "Making::is_usual")]
    pub(super) making: Making,
    /// The snapshot it is being made the same as: done again until it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restoring: Option<String>,
}

impl Note {
    pub(super) fn new(uuid: Uuid, kind: VolumeKind, shape: &Shape, files: FileSystem) -> Note {
        let now = clock::since_1970();
        let (content, size, making) = (shape.content, shape.size, shape.making.clone());
        let (version, created, restoring) = (super::INFO.version, now.as_secs(), None);
        Note { version, uuid, kind, content, files, size, created, making, restoring }
    }

    /// The shape that a copy of it has.
    pub(super) fn shape(&self) -> Shape {
        let (content, size, making) = (self.content, self.size, self.making.clone());
        Shape { content, size, plain: false, making }
    }

    /// Whether small files lie in an image beside it: where its own is a disk, and it has such files.
    pub(super) fn has_beside(&self) -> bool {
        self.content.is_disk() && !self.kind.is_bare()
    }

    /// The folder of its files in their file system: not the top, so that a path to it leads nowhere where
    /// nothing is mounted.
    pub(super) fn folder(&self) -> &'static str {
        if self.kind.is_bare() { "data" } else { "rootfs" }
    }

    pub(super) fn info(&self) -> VolumeInfo {
        let created = UNIX_EPOCH + Duration::from_secs(self.created);
        VolumeInfo { content: self.content, size: self.size, image: None, created }
    }

    pub(super) fn text(&self, image: &str) -> Result<String> {
        serde_json::to_string(self).map_err(damaged(image))
    }

    pub(super) fn read(text: &[u8], image: &str) -> Result<Note> {
        serde_json::from_slice(text).map_err(damaged(image))
    }
}

fn damaged(image: &str) -> impl FnOnce(serde_json::Error) -> Error {
    let path = image.into();
    move |source| Error::Damaged { path, source }
}
