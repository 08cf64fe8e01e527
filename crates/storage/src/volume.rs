//! What a volume is called and what it should be.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Making, Result};

/// What a volume is for; each kind has names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeKind {
    /// The root of a container.
    Container,
    /// The disk of a virtual machine.
    VirtualMachine,
    /// An unpacked image. Its name is its fingerprint: the same name means the same contents.
    Image,
    /// A volume of its own that instances attach.
    Custom,
    /// The objects of an S3 bucket.
    Bucket,
}

impl VolumeKind {
    /// Every kind, in the order they are listed.
    pub const ALL: [VolumeKind; 5] = [
        VolumeKind::Container,
        VolumeKind::VirtualMachine,
        VolumeKind::Image,
        VolumeKind::Custom,
        VolumeKind::Bucket,
    ];

    /// The folder of a pool that holds volumes of this kind.
    pub fn folder(self) -> &'static str {
        match self {
            VolumeKind::Container => "containers",
            VolumeKind::VirtualMachine => "virtual-machines",
            VolumeKind::Image => "images",
            VolumeKind::Custom => "custom",
            VolumeKind::Bucket => "buckets",
        }
    }

    /// Whether its files are the user's alone, in a folder `data/`: no root, no metadata beside it.
    pub(crate) fn is_bare(self) -> bool {
        matches!(self, VolumeKind::Custom | VolumeKind::Bucket)
    }
}

/// A volume's name in its pool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolumeId {
    /// What it is for.
    pub kind: VolumeKind,
    /// One safe path component; the caller encodes the project in it.
    pub name: String,
}

impl VolumeId {
    /// An id whose name was checked.
    pub fn new(kind: VolumeKind, name: impl Into<String>) -> Result<VolumeId> {
        let id = VolumeId { kind, name: name.into() };
        id.check()?;
        Ok(id)
    }

    /// Refuses a name that is not one plain path component.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.folder(), self.name)
    }
}

/// Names become folders: one component, nothing hidden, nothing a shell or overlayfs would read twice.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let good =
        |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '@' | '=' | '%');
    if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.chars().all(good) {
        return Err(Error::BadName { name: name.to_owned() });
    }
    Ok(())
}

/// What a volume holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Files.
    Filesystem,
    /// A disk.
    Block,
    /// The image of a disc: kept as a disk is, and never written to.
    Iso,
}

impl Content {
    /// Whether it is one file or device.
    pub fn is_disk(self) -> bool {
        matches!(self, Content::Block | Content::Iso)
    }
}

/// What a volume should be when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Files or a disk.
    pub content: Content,
    /// Bytes at most; required for a disk that no fill writes. See [`crate::PoolInfo::quotas`].
    pub size: Option<u64>,
    /// A root with files of its own rather than layers: for containers that mount overlays inside.
    pub plain: bool,
    /// What it chooses for itself; all else is the pool's choice.
    pub making: Making,
}

impl Shape {
    /// Files without a limit.
    pub fn filesystem() -> Shape {
        Shape { content: Content::Filesystem, size: None, plain: false, making: Making::default() }
    }

    /// A disk of `size` bytes.
    pub fn block(size: u64) -> Shape {
        Shape { content: Content::Block, size: Some(size), ..Shape::filesystem() }
    }

    /// The same with files of its own.
    pub fn plain(self) -> Shape {
        Shape { plain: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricky_names_are_refused() {
        for bad in
            ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a\0b", "a\nb", "a:b", "a,b", "a b"]
        {
            assert!(VolumeId::new(VolumeKind::Custom, bad).is_err(), "{bad:?}");
        }
        assert!(VolumeId::new(VolumeKind::Custom, "x".repeat(201)).is_err());
        for good in ["default_web", "p-1_web.old", "é", "0f3a"] {
            assert!(VolumeId::new(VolumeKind::Container, good).is_ok(), "{good:?}");
        }
    }
}
