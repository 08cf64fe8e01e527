//! Control groups outlive the processes in them: those of daemons that were killed are removed here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::files;
use crate::demo;

const TOP: &str = "/sys/fs/cgroup";

/// Removes at its end what was not there at its start.
pub(super) struct Groups {
    /// Those of another LXD or of its library.
    foreign: Vec<PathBuf>,
    /// The marks of our daemons.
    tags: Vec<String>,
}

impl Groups {
    pub(super) fn new() -> Groups {
        Groups { foreign: of_lxc(), tags: Vec::new() }
    }

    /// Ours with this state folder.
    pub(super) fn add(&mut self, folder: &Path) -> Result<()> {
        self.tags.push(demo::left::tag(folder)?);
        Ok(())
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let new = of_lxc().into_iter().filter(|group| !self.foreign.contains(group));
        let own = self.tags.iter().flat_map(|tag| demo::left::groups(tag));
        for group in new.chain(own) {
            remove(&group);
        }
    }
}

/// In each hierarchy, where there are several.
fn of_lxc() -> Vec<PathBuf> {
    let top = PathBuf::from(TOP);
    let roots = files::entries(&top).into_iter().chain([top]);
    let groups = roots.flat_map(|root| files::entries(&root));
    let of_lxc = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("lxc.") && path.is_dir()
    };
    groups.filter(of_lxc).collect()
}

/// From the leaves up.
fn remove(group: &Path) {
    for below in files::entries(group).into_iter().filter(|path| path.is_dir()) {
        remove(&below);
    }
    if let Err(error) = fs::remove_dir(group) {
        eprintln!("bench: cannot remove {}: {error}", group.display());
    }
}
