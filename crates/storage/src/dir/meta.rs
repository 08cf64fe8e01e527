//! `volume.json`: what a volume is, beside its files, so that a pool can be read without a database.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::Place;
use super::trees::Wanted;
use crate::error::At;
use crate::{Content, Error, Making, Result, Shape, VolumeId, VolumeKind, fsio};

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) version: u32,
    pub(crate) kind: VolumeKind,
    pub(crate) content: Content,
    /// The image under an overlay; None for a volume with all its files of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lower: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// What it chooses for itself.
    #[serde(default, skip_serializing_if = "Making::is_usual")]
    pub(crate) making: Making,
}

impl Meta {
    pub(crate) fn new(kind: VolumeKind, shape: &Shape, lower: Option<&str>) -> Meta {
        let now = clock::since_1970();
        let lower = lower.map(str::to_owned);
        let (content, size, making) = (shape.content, shape.size, shape.making.clone());
        let (version, created) = (super::INFO.version, now.as_secs());
        Meta { version, kind, content, lower, size, created, making }
    }

    /// The shape that a volume of the same kind as it has.
    pub(crate) fn shape(&self) -> Shape {
        let (content, size, plain) = (self.content, self.size, self.lower.is_none());
        Shape { content, size, plain, making: self.making.clone() }
    }

    /// What its tree or disk is to be like.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted { size: self.size, making: Some(&self.making) }
    }

    /// Reads the metadata of the volume at `place`; None when there is no volume.
    pub(crate) fn find(place: &Place) -> Result<Option<Meta>> {
        let path = place.meta();
        match fs::read(&path) {
            Ok(data) => parse(&data, path).map(Some),
            Err(e) if absent(&e) => Ok(None),
            Err(e) => Err(e).at("read", path),
        }
    }

    pub(crate) fn read(place: &Place, id: &VolumeId) -> Result<Meta> {
        Meta::find(place)?.ok_or_else(|| Error::NotFound { volume: id.clone() })
    }

    pub(crate) fn write_new(&self, place: &Place) -> Result<()> {
        fsio::write_new(&place.meta(), &self.text()?)
    }

    pub(crate) fn replace(&self, place: &Place) -> Result<()> {
        fsio::replace(&place.meta(), &self.text()?)
    }

    /// Where the volume's files or disk are, for all but overlays.
    pub(crate) fn contents(&self, place: &Place) -> PathBuf {
        match (self.content, self.kind, &self.lower) {
            (content, ..) if content.is_disk() => place.disk(),
            (_, kind, _) if kind.is_bare() => place.data(),
            (_, _, None) => place.rootfs(),
            (_, _, Some(_)) => place.upper(),
        }
    }

    fn text(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|source| Error::Damaged { path: "volume.json".into(), source })
    }
}

fn absent(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parse(data: &[u8], path: PathBuf) -> Result<Meta> {
    serde_json::from_slice(data).map_err(|source| Error::Damaged { path, source })
}
