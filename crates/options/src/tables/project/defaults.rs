//! What else is particular to a project.

use crate::{Compression, Options};

/// Backups and images of a project; without a value that of the server holds.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "project", group = "specific")]
pub struct ProjectDefaults {
    /// How backups are compressed.
    #[option(key = "backups.compression_algorithm", default_text = "that of the server")]
    pub backups_compression: Option<Compression>,
    /// Whether images fetched on demand are kept up to date.
    #[option(key = "images.auto_update_cached", default_text = "that of the server")]
    pub images_auto_update_cached: Option<bool>,
    /// Hours between looking for newer images; 0 means never.
    #[option(key = "images.auto_update_interval", default_text = "that of the server")]
    pub images_auto_update_interval: Option<u32>,
    /// How new images are compressed.
    #[option(key = "images.compression_algorithm", default_text = "that of the server")]
    pub images_compression: Option<Compression>,
    /// Architecture of images that are asked for without one.
    #[option(key = "images.default_architecture", default_text = "that of the server")]
    pub images_default_architecture: Option<String>,
    /// Days that an image fetched on demand is kept unused.
    #[option(key = "images.remote_cache_expiry", default_text = "that of the server")]
    pub images_remote_cache_expiry: Option<u32>,
}
