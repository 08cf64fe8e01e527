//! What an instance is: a container or a virtual machine.

use serde::{Deserialize, Serialize};
use storage::{Content, VolumeId, VolumeKind};
use wire::InstanceType;

use crate::{Result, db::instances::Instance, names};

/// What an instance is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Its root is files; it runs on the host's kernel.
    #[default]
    Container,
    /// Its root is a disk; it has a kernel of its own.
    VirtualMachine,
}

impl Kind {
    /// As the database and the API spell it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Container => "container",
            Kind::VirtualMachine => "virtual-machine",
        }
    }

    /// By its word; anything but a virtual machine's is a container's.
    pub fn of(word: &str) -> Kind {
        if word == Kind::VirtualMachine.word() { Kind::VirtualMachine } else { Kind::Container }
    }

    /// What an image of such an instance makes.
    pub(crate) fn of_image(self) -> images::Kind {
        match self {
            Kind::Container => images::Kind::Container,
            Kind::VirtualMachine => images::Kind::VirtualMachine,
        }
    }

    /// What its root is.
    pub(crate) fn content(self) -> Content {
        match self {
            Kind::Container => Content::Filesystem,
            Kind::VirtualMachine => Content::Block,
        }
    }

    /// The volume that holds the root of such an instance.
    pub(crate) fn root(self, project: &str, name: &str) -> Result<VolumeId> {
        let kind = match self {
            Kind::Container => VolumeKind::Container,
            Kind::VirtualMachine => VolumeKind::VirtualMachine,
        };
        Ok(VolumeId::new(kind, names::volume(project, name))?)
    }
}

impl From<InstanceType> for Kind {
    fn from(given: InstanceType) -> Kind {
        match given {
            InstanceType::VirtualMachine => Kind::VirtualMachine,
            _ => Kind::Container,
        }
    }
}

impl Instance {
    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.kind)
    }

    /// The volume that holds its root.
    pub(crate) fn root(&self) -> Result<VolumeId> {
        self.kind().root(&self.project, &self.name)
    }
}
