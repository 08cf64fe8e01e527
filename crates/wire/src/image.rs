//! Images and their aliases.

use std::collections::BTreeMap;

use crate::{ConfigMap, InstanceType, Timestamp};

api! {
    /// An image.
    pub struct Image {
        /// SHA-256 of the image, in hex; its name.
        pub fingerprint: String,
        /// Name of the file it came from.
        pub filename: String,
        /// Bytes.
        pub size: u64,
        /// Its aliases.
        pub aliases: Vec<ImageAlias>,
        /// Kernel architecture.
        pub architecture: String,
        /// Kind of instance it makes.
        pub r#type: InstanceType,
        /// Whether it was fetched by itself for an instance.
        pub cached: bool,
        /// Whether anybody may fetch it.
        pub public: bool,
        /// Whether it follows its source.
        pub auto_update: bool,
        /// Where it came from.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub update_source: Option<ImageSource>,
        /// `os`, `release`, `description` and the like.
        pub properties: ConfigMap,
        /// Profiles of instances made from it, when none are given.
        pub profiles: Vec<String>,
        /// When its author made it.
        pub created_at: Timestamp,
        /// When it is out of date.
        pub expires_at: Timestamp,
        /// When an instance was last made from it.
        pub last_used_at: Timestamp,
        /// When it came to this server.
        pub uploaded_at: Timestamp,
        /// Project it is in.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
    }

    /// An image's changeable part, to replace it.
    pub struct ImagePut {
        /// Whether it follows its source.
        pub auto_update: bool,
        /// Properties.
        pub properties: ConfigMap,
        /// Whether anybody may fetch it.
        pub public: bool,
        /// When it is out of date.
        pub expires_at: Timestamp,
        /// Profiles of instances made from it, when none are given.
        pub profiles: Vec<String>,
    }

    /// Where an image came from.
    pub struct ImageSource {
        /// Alias there.
        pub alias: String,
        /// Certificate of the server, PEM.
        pub certificate: String,
        /// `lxd`, `simplestreams` or `microcloud-build`.
        pub protocol: String,
        /// Address of the server.
        pub server: String,
        /// Kind of instance.
        pub image_type: String,
    }

    /// A new image that is fetched, built, or made of an instance.
    pub struct ImagesPost {
        /// Aliases to give it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub aliases: Vec<ImageAlias>,
        /// Whether it follows its source.
        pub auto_update: bool,
        /// How to pack it: `none`, `gzip`, `zstd`, `xz` and the like.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub compression_algorithm: String,
        /// When it is out of date.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<Timestamp>,
        /// Name of its file.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub filename: String,
        /// Profiles of instances made from it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub profiles: Vec<String>,
        /// Properties to add.
        #[serde(skip_serializing_if = "ConfigMap::is_empty")]
        pub properties: ConfigMap,
        /// Whether anybody may fetch it.
        pub public: bool,
        /// Where it comes from.
        pub source: Option<ImagesPostSource>,
    }

    /// Where a new image comes from.
    pub struct ImagesPostSource {
        /// `image`, `instance`, `snapshot` or `url`.
        pub r#type: String,
        /// Alias on the source.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub alias: String,
        /// Fingerprint on the source.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub fingerprint: String,
        /// Certificate of the source, PEM.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub certificate: String,
        /// `lxd`, `simplestreams`, or `microcloud-build` for an image that this server builds.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub protocol: String,
        /// Address of the source.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub server: String,
        /// Secret of a private image.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub secret: String,
        /// `pull` or `push`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub mode: String,
        /// Kind of instance.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub image_type: String,
        /// Instance, or `instance/snapshot`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub name: String,
        /// Project of the source.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
        /// Address for type `url`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub url: String,
    }

    /// Where to send an image.
    pub struct ImageExportPost {
        /// Address of the other server.
        pub target: String,
        /// What it gave for the image.
        pub secret: String,
        /// Its certificate, PEM.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub certificate: String,
        /// Names; those count that the other server was asked for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub aliases: Vec<ImageAlias>,
        /// Project there.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
        /// Profiles of instances made from it; those count that the other server was asked for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub profiles: Vec<String>,
    }

    /// An alias, as an image lists it.
    pub struct ImageAlias {
        /// The name.
        pub name: String,
        /// Free text.
        pub description: String,
    }

    /// An alias.
    pub struct ImageAliasesEntry {
        /// The name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Fingerprint of the image.
        pub target: String,
        /// Kind of instance.
        pub r#type: InstanceType,
    }

    /// A new alias.
    pub struct ImageAliasesPost {
        /// The name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Fingerprint of the image.
        pub target: String,
        /// Kind of instance; empty takes the image's.
        pub r#type: String,
    }

    /// An alias' changeable part, to replace it.
    pub struct ImageAliasesEntryPut {
        /// Free text.
        pub description: String,
        /// Fingerprint of the image.
        pub target: String,
    }

    /// An alias' new name.
    pub struct ImageAliasesEntryPost {
        /// The name.
        pub name: String,
    }

    /// `metadata.yaml` of an image.
    pub struct ImageMetadata {
        /// Kernel architecture.
        pub architecture: String,
        /// Seconds since the Unix epoch.
        pub creation_date: i64,
        /// Seconds since the Unix epoch; 0 is never.
        pub expiry_date: i64,
        /// Properties.
        pub properties: ConfigMap,
        /// Templates by the path of the file they make.
        pub templates: BTreeMap<String, ImageMetadataTemplate>,
    }

    /// A template of an image.
    pub struct ImageMetadataTemplate {
        /// When to write it: `create`, `copy`, `start`, `rename`.
        pub when: Vec<String>,
        /// Whether only when the file is missing.
        pub create_only: bool,
        /// Name of the template in the image.
        pub template: String,
        /// Values for the template.
        pub properties: ConfigMap,
        /// Owner of the file; one that is there keeps its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub uid: Option<String>,
        /// Group of the file.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub gid: Option<String>,
        /// Permissions of the file, in octal digits.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mode: Option<String>,
    }
}

impl Image {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> ImagePut {
        ImagePut {
            auto_update: self.auto_update,
            properties: self.properties.clone(),
            public: self.public,
            expires_at: self.expires_at,
            profiles: self.profiles.clone(),
        }
    }
}
