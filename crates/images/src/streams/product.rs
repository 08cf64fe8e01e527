//! The lists as they are written. Fields that we do not need are not named, and unknown ones are no error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Kind;

/// `index.json`.
#[derive(Deserialize)]
pub(super) struct Index {
    pub(super) index: BTreeMap<String, Entry>,
}

/// A list that there is.
#[derive(Deserialize)]
pub(super) struct Entry {
    /// `image-downloads` is what we want; there are lists of what clouds have, too.
    #[serde(default)]
    pub(super) datatype: String,
    pub(super) path: String,
}

/// A list.
#[derive(Deserialize)]
pub(super) struct Products {
    pub(super) products: BTreeMap<String, Product>,
}

/// A release for a processor.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Product {
    /// Names, with commas between.
    pub(super) aliases: String,
    /// Debian's name of the processor.
    pub(super) arch: String,
    pub(super) os: String,
    pub(super) release: String,
    pub(super) release_title: String,
    pub(super) variant: String,
    pub(super) version: String,
    /// A day, such as `2027-06-01`.
    pub(super) support_eol: Option<String>,
    #[serde(alias = "lxd_requirements")]
    pub(super) requirements: BTreeMap<String, Value>,
    /// By a serial, such as `20261120_05:24`.
    pub(super) versions: BTreeMap<String, Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    pub(super) label: String,
    pub(super) items: BTreeMap<String, Item>,
}

/// A file.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Item {
    pub(super) ftype: String,
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// Of metadata: the fingerprints that it has with roots, among others.
    #[serde(flatten)]
    pub(super) more: BTreeMap<String, Value>,
}

/// What metadata are called. Both are the same format.
pub(super) const METADATA: [&str; 2] = ["lxd.tar.xz", "incus.tar.xz"];

/// A kind of root: what it is called, and the field of metadata with the fingerprint of both.
pub(super) struct Root {
    pub(super) ftype: &'static str,
    pub(super) combined: &'static str,
    pub(super) kind: Kind,
}

/// Those we can use, the best first.
pub(super) const ROOTS: [Root; 5] = [
    Root { ftype: "squashfs", combined: "combined_squashfs_sha256", kind: Kind::Container },
    Root { ftype: "root.tar.xz", combined: "combined_rootxz_sha256", kind: Kind::Container },
    Root {
        ftype: "disk-kvm.img",
        combined: "combined_disk-kvm-img_sha256",
        kind: Kind::VirtualMachine,
    },
    Root { ftype: "uefi1.img", combined: "combined_uefi1-img_sha256", kind: Kind::VirtualMachine },
    Root { ftype: "disk1.img", combined: "combined_disk1-img_sha256", kind: Kind::VirtualMachine },
];
