//! What an object is, beside its contents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of what is made while versions are not kept, as S3 has it.
pub const NULL: &str = "null";

/// An object as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The row's key.
    pub(crate) id: i64,
    /// Its name.
    pub key: String,
    /// Which of those of that name: [`NULL`] for the one that is made while versions are not kept.
    pub version: String,
    /// Whether it is no object but says that the one before it was deleted.
    pub marker: bool,
    /// Bytes.
    pub size: u64,
    /// MD5 of its contents in hexadecimal; with `-N` behind it that of the MD5s of its N parts.
    pub etag: String,
    /// Milliseconds since 1970.
    pub modified: i64,
    /// What its owner says of it.
    pub attributes: Attributes,
    /// How many tags it has.
    pub tags: usize,
}

/// What the owner of an object says of it. It is kept and given back, and means nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// Headers of HTTP, by their names in small letters: `content-type`, `cache-control`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The owner's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    /// A checksum that a client gave and the door checked, by its algorithm.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
    /// Who may read it beside its owner, as the door says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access: String,
}

/// Tags of an object.
pub type Tags = BTreeMap<String, String>;

/// As it stands in a column.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| String::from("{}"))
}

/// What a column holds; an unreadable one reads as empty rather than hide the object.
pub(crate) fn from_json<T: serde::de::DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}
