//! What a daemon has outside its folder, and whether any of it is left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result};

use super::server::Server;
use crate::shell;

/// How long the kernel may take to let go of what was removed.
const GRACE: Duration = Duration::from_secs(5);

/// What to look for.
pub(super) struct Left {
    folder: PathBuf,
    /// The daemon's mark on tables and control groups.
    tag: String,
    links: Vec<String>,
}

impl Left {
    pub(super) fn of(server: &Server, links: Vec<String>) -> Result<Left> {
        Ok(Left { folder: server.folder().to_owned(), tag: tag(server.folder())?, links })
    }

    fn look(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let folder = self.folder.display();
        if self.folder.exists() {
            found.push(format!("folder {folder}"));
        }
        let links =
            self.links.iter().filter(|link| Path::new("/sys/class/net").join(link).exists());
        found.extend(links.map(|link| format!("link {link}")));
        let tables = shell::printed(shell::as_root("nft", &["list", "tables"])?)?;
        let table = format!("microcloud_{}", self.tag);
        found.extend(tables.lines().filter(|line| line.contains(&table)).map(str::to_owned));
        let mounts = fs::read_to_string("/proc/self/mounts").context("read the mounts")?;
        let below = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let below = below.filter(|place| Path::new(place).starts_with(&self.folder));
        found.extend(below.map(|place| format!("mount {place}")));
        found.extend(groups(&self.tag).iter().map(|group| format!("group {}", group.display())));
        found.extend(processes(&self.tag));
        Ok(found)
    }
}

/// Looks until nothing is left, for a while.
pub(super) fn settled(left: &Left) -> Result<Vec<String>> {
    let end = Instant::now() + GRACE;
    loop {
        let found = left.look()?;
        if found.is_empty() || Instant::now() > end {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The first four bytes of the folder's SHA-256, as the daemon makes it.
pub(crate) fn tag(folder: &Path) -> Result<String> {
    let folder = folder.to_string_lossy();
    let sum = shell::output("sh", &["-c", "printf %s \"$1\" | sha256sum", "sh", &folder])?;
    Ok(sum.chars().take(8).collect())
}

/// In each hierarchy of control groups, where there are several.
pub(crate) fn groups(tag: &str) -> Vec<PathBuf> {
    let top = PathBuf::from("/sys/fs/cgroup");
    let roots = entries(&top).into_iter().chain([top]);
    let kinds = ["microcloud.payload", "microcloud.monitor"];
    let paths = roots.flat_map(|root| kinds.map(|kind| root.join(kind).join(tag)));
    paths.filter(|path| path.is_dir()).collect()
}

/// Those in a control group of the daemon.
fn processes(tag: &str) -> Vec<String> {
    let mark = format!("/{tag}");
    let there = entries(Path::new("/proc")).into_iter().filter(|path| {
        fs::read_to_string(path.join("cgroup")).is_ok_and(|groups| {
            groups.lines().any(|line| line.contains("microcloud.") && line.contains(&mark))
        })
    });
    there.map(|path| format!("process {}", path.display())).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten();
    read.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_that_of_the_daemon() {
        // As `daemon_tag` of the crate cloud gives it for this folder.
        assert_eq!(tag(Path::new("/tmp/mcb/state")).unwrap(), "9d567af7");
    }
}
