//! How a thing of a project is called where no projects are known: on disk, in cgroups, on links.

use sha2::{Digest, Sha256};

/// The project that is always there.
pub const DEFAULT_PROJECT: &str = "default";

/// The name of a volume on disk: bare in the default project, else `<project>_<name>`.
/// Instance names have no `_`, so that two cannot meet.
pub fn volume(project: &str, name: &str) -> String {
    if project == DEFAULT_PROJECT { name.to_owned() } else { format!("{project}_{name}") }
}

/// The name of a custom volume on disk. It always has its project's: volumes' names may have a `_`,
/// projects' may not.
pub fn custom_volume(project: &str, name: &str) -> String {
    format!("{project}_{name}")
}

/// The id of an instance on this machine: run folder, cgroup, logs.
pub fn instance_id(project: &str, name: &str) -> String {
    format!("{project}_{name}")
}

/// The project and the name that [`instance_id`] joined.
pub fn split_instance_id(id: &str) -> Option<(&str, &str)> {
    id.rsplit_once('_')
}

/// A short tag of a state folder, so that two daemons on one machine never share a name.
pub fn daemon_tag(root: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    Sha256::digest(root.as_os_str().as_bytes())[..4].iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_apart_again() {
        assert_eq!(
            split_instance_id(&instance_id("my_project", "web")),
            Some(("my_project", "web"))
        );
    }
}
