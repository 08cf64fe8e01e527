//! What volumes are to users, read from what they are called in a pool.

use storage::{Content, VolumeId, VolumeKind};

use crate::names;

/// The project and the name of a volume, which its name on disk has: see [`names::volume`] and
/// [`names::custom_volume`]. None of what a task keeps beside a volume while it works.
pub(crate) fn whose(id: &VolumeId) -> Option<(String, String)> {
    let (project, name) = match id.kind {
        VolumeKind::Custom => id.name.split_once('_')?,
        _ => names::split_instance_id(&id.name).unwrap_or((names::DEFAULT_PROJECT, &id.name)),
    };
    let good = match id.kind {
        VolumeKind::Custom => options::names::check_volume(name),
        VolumeKind::Bucket => options::names::check_bucket(name),
        _ => options::names::check_instance(name),
    };
    (good.is_ok() && options::names::check_project(project).is_ok())
        .then(|| (project.to_owned(), name.to_owned()))
}

/// What it is for, as the API writes it.
pub(crate) fn word(kind: VolumeKind) -> &'static str {
    match kind {
        VolumeKind::Container => "container",
        VolumeKind::VirtualMachine => "virtual-machine",
        VolumeKind::Image => "image",
        VolumeKind::Custom => "custom",
        VolumeKind::Bucket => "bucket",
    }
}

/// What is in it, as the API writes it.
pub(crate) fn content(content: Content) -> &'static str {
    match content {
        Content::Filesystem => "filesystem",
        Content::Block => "block",
        Content::Iso => "iso",
    }
}

/// A volume as a user knows it, for messages.
pub(crate) fn told(id: &VolumeId) -> String {
    match whose(id) {
        _ if id.kind == VolumeKind::Image => format!("image {}", id.name),
        Some((project, name)) => format!("{} \"{name}\" of project \"{project}\"", word(id.kind)),
        None => format!("\"{id}\""),
    }
}
