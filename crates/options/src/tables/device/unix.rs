//! Device nodes of the host.

use std::path::Path;

use crate::{AbsolutePath, DeviceId, FileMode, Options, Problem};

/// Who may use a node in a container, as the container counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAccess {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its mode.
    pub mode: FileMode,
}

/// What kind of device a node is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A character device.
    Char,
    /// A block device.
    Block,
}

/// A device node of the host that a container has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unix {
    /// What it is of.
    pub kind: NodeKind,
    source: Option<AbsolutePath>,
    path: Option<AbsolutePath>,
    number: (Option<u32>, Option<u32>),
    /// Who may use it.
    pub access: NodeAccess,
    /// Whether the container fails to start without it.
    pub required: bool,
}

impl Unix {
    /// Where it is on the host.
    pub fn source(&self) -> &Path {
        self.source.as_ref().or(self.path.as_ref()).map_or(Path::new("/"), |path| path.as_path())
    }

    /// Where it is in the container.
    pub fn path(&self) -> &Path {
        self.path.as_ref().or(self.source.as_ref()).map_or(Path::new("/"), |path| path.as_path())
    }

    /// Major and minor number, where they were given: then the host needs no such node.
    pub fn number(&self) -> Option<(u32, u32)> {
        Some((self.number.0?, self.number.1?))
    }
}

/// The same keys for both kinds, as each is an entity of its own.
macro_rules! node {
    ($(#[$doc:meta])* $name:ident, $entity:literal, $kind:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Options)]
        #[options(entity = $entity, group = "device-conf", check = Self::consistent)]
        pub struct $name {
            /// Path on the host.
            ///
            /// Links are followed.
            #[option(key = "source", default_text = "that of `path`", condition = "container")]
            pub source: Option<AbsolutePath>,
            /// Path in the instance, below `/dev`.
            #[option(key = "path", default_text = "that of `source`", condition = "container")]
            pub path: Option<AbsolutePath>,
            /// Major number.
            #[option(key = "major", default_text = "that of the host's", condition = "container")]
            pub major: Option<u32>,
            /// Minor number.
            #[option(key = "minor", default_text = "that of the host's", condition = "container")]
            pub minor: Option<u32>,
            /// User in the instance.
            #[option(key = "uid", default = "0", condition = "container")]
            pub uid: u32,
            /// Group in the instance.
            #[option(key = "gid", default = "0", condition = "container")]
            pub gid: u32,
            /// Mode in the instance.
            #[option(key = "mode", default = "0660", condition = "container")]
            pub mode: FileMode,
            /// Whether the instance fails to start without it.
            ///
            /// One that is not required comes and goes with that of the host.
            #[option(key = "required", default = "true", condition = "container")]
            pub required: bool,
        }

        impl $name {
            fn consistent(&self) -> Vec<Problem> {
                consistent(
                    (self.source.as_ref(), self.path.as_ref()),
                    (self.major, self.minor),
                )
            }
        }

        impl From<$name> for Unix {
            fn from(node: $name) -> Unix {
                Unix {
                    kind: $kind,
                    source: node.source,
                    path: node.path,
                    number: (node.major, node.minor),
                    access: NodeAccess { uid: node.uid, gid: node.gid, mode: node.mode },
                    required: node.required,
                }
            }
        }
    };
}

node!(
    /// Options of a character device of the host that a container has.
    UnixChar, "device-unix-char", NodeKind::Char
);
node!(
    /// Options of a block device of the host that a container has.
    UnixBlock, "device-unix-block", NodeKind::Block
);

fn consistent(
    (source, path): (Option<&AbsolutePath>, Option<&AbsolutePath>),
    number: (Option<u32>, Option<u32>),
) -> Vec<Problem> {
    let mut problems = Vec::new();
    match path.or(source) {
        None => problems.push(Problem::missing("source", "the device on the host, or path")),
        Some(inside) if !inside.starts_with("/dev") || inside.as_path() == "/dev" => {
            problems.push(Problem::invalid(
                if path.is_some() { "path" } else { "source" },
                &inside.to_string(),
                "a path below /dev; with another source, set path to one",
            ));
        }
        Some(_) => {}
    }
    match number {
        (Some(_), None) => problems.push(Problem::missing("minor", "as major is set")),
        (None, Some(_)) => problems.push(Problem::missing("major", "as minor is set")),
        _ => {}
    }
    problems
}

/// Options of devices of the host that come and go, found by what they are: all that fit.
#[derive(Debug, Clone, PartialEq, Eq, Options)]
#[options(entity = "device-unix-hotplug", group = "device-conf", check = Self::consistent)]
pub struct UnixHotplug {
    /// Who made the device, such as `0bda`.
    #[option(key = "vendorid", condition = "container")]
    pub vendorid: Option<DeviceId>,
    /// What it is among those of its maker.
    #[option(key = "productid", condition = "container")]
    pub productid: Option<DeviceId>,
    /// What kind of devices, as the kernel calls it: `tty`, `block`, `hidraw`.
    #[option(key = "subsystem", condition = "container")]
    pub subsystem: Option<String>,
    /// User in the instance.
    #[option(key = "uid", default = "0", condition = "container")]
    pub uid: u32,
    /// Group in the instance.
    #[option(key = "gid", default = "0", condition = "container")]
    pub gid: u32,
    /// Mode in the instance.
    #[option(key = "mode", default = "0660", condition = "container")]
    pub mode: FileMode,
    /// Whether user, group and mode are those of the host's node.
    #[option(key = "ownership.inherit", default = "false", condition = "container")]
    pub ownership_inherit: bool,
    /// Whether the instance fails to start without one.
    #[option(key = "required", default = "false", condition = "container")]
    pub required: bool,
}

impl UnixHotplug {
    /// Who may use them, where that is not taken from the host.
    pub fn access(&self) -> NodeAccess {
        NodeAccess { uid: self.uid, gid: self.gid, mode: self.mode }
    }

    fn consistent(&self) -> Vec<Problem> {
        let any = self.vendorid.is_some() || self.productid.is_some() || self.subsystem.is_some();
        let missing =
            || Problem::missing("vendorid", "or productid or subsystem: which devices it is");
        (!any).then(missing).into_iter().collect()
    }
}

impl std::fmt::Display for UnixHotplug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        super::told(
            f,
            &[
                ("vendorid", self.vendorid.map(|it| it.to_string())),
                ("productid", self.productid.map(|it| it.to_string())),
                ("subsystem", self.subsystem.clone()),
            ],
        )
    }
}
