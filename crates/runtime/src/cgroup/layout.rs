//! Which hierarchies this machine has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::fs::statfs;

use crate::error::{At, Result};

const ROOT: &str = "/sys/fs/cgroup";
/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) path: PathBuf,
    /// `cpu`, `memory`, or `name=systemd` of version 1.
    pub(crate) controllers: Vec<String>,
}

/// What is mounted below `/sys/fs/cgroup`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Version 2.
    pub(crate) unified: Option<Hierarchy>,
    /// Version 1.
    pub(crate) v1: Vec<Hierarchy>,
}

impl Layout {
    pub(crate) fn detect() -> Result<Layout> {
        let root = Path::new(ROOT);
        if let Some(unified) = unified_at(root)? {
            return Ok(Layout { unified: Some(unified), v1: Vec::new() });
        }
        let unified = unified_at(&root.join("unified"))?;
        let text = fs::read_to_string("/proc/self/cgroup").at("read", "/proc/self/cgroup")?;
        let mut v1 = parse(&text);
        v1.retain(|hierarchy| hierarchy.path.join("cgroup.procs").exists());
        Ok(Layout { unified, v1 })
    }

    pub(crate) fn v1(&self, controller: &str) -> Option<&Hierarchy> {
        self.v1.iter().find(|hierarchy| hierarchy.has(controller))
    }

    /// Is a controller on version 2?
    pub(crate) fn on_unified(&self, controller: &str) -> bool {
        self.unified.as_ref().is_some_and(|unified| unified.has(controller))
    }

    /// Has the kernel a controller, by its name of version 2 or of version 1?
    pub(crate) fn knows(&self, v2: &str, v1: &str) -> bool {
        self.on_unified(v2) || self.v1(v1).is_some()
    }

    pub(crate) fn roots(&self) -> impl Iterator<Item = &Path> {
        self.unified.iter().chain(&self.v1).map(|hierarchy| hierarchy.path.as_path())
    }
}

impl Hierarchy {
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }
}

fn unified_at(path: &Path) -> Result<Option<Hierarchy>> {
    match statfs(path) {
        Ok(stat) if stat.f_type as u64 == CGROUP2_MAGIC => {}
        _ => return Ok(None),
    }
    let file = path.join("cgroup.controllers");
    let controllers = fs::read_to_string(&file).at("read", &file)?;
    let controllers = controllers.split_whitespace().map(str::to_owned).collect();
    Ok(Some(Hierarchy { path: path.to_owned(), controllers }))
}

/// Lines of `/proc/self/cgroup`: `8:pids:/`, `9:name=systemd:/`, `0::/` (version 2).
fn parse(text: &str) -> Vec<Hierarchy> {
    text.lines()
        .filter_map(|line| line.split(':').nth(1))
        .filter(|names| !names.is_empty())
        .map(|names| Hierarchy {
            path: Path::new(ROOT).join(names.strip_prefix("name=").unwrap_or(names)),
            controllers: names.split(',').map(str::to_owned).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let found = parse("9:name=systemd:/\n3:cpu,cpuacct:/user.slice\n0::/user.slice\n");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].path, Path::new("/sys/fs/cgroup/systemd"));
        assert!(found[0].has("name=systemd"));
        assert_eq!(found[1].path, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert!(found[1].has("cpuacct"));
    }
}
