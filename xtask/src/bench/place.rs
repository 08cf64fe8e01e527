//! The folder of one benchmark: on a real disk, gone at its end.

use std::path::{Path, PathBuf};
use std::{fs, process};

use anyhow::{Context, Result};

use super::files;
use crate::shell;

const FOLDERS: &str = "/var/tmp";
const PREFIX: &str = "microcloud-bench-";

pub(super) struct Place {
    path: PathBuf,
}

impl Place {
    pub(super) fn new() -> Result<Place> {
        remove_old();
        let path = Path::new(FOLDERS).join(format!("{PREFIX}{}", process::id()));
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        let place = Place { path };
        // The stock client greets whoever has no settings yet.
        place.write("home/.config/lxc/config.yml", "default-remote: local\n")?;
        Ok(place)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// Writes a file and makes its folders.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let folder = path.parent().unwrap_or(&self.path);
        let made = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        made.with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// A copy of a program: a build that goes on beside must not change what is measured. On disk
    /// before anything runs, as pages of a fresh file would count as private.
    pub(super) fn keep(&self, program: &Path, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let copied = fs::copy(program, &path).and_then(|_| fs::File::open(&path)?.sync_all());
        copied.with_context(|| format!("copy {}", program.display()))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Folders of benchmarks that were killed.
fn remove_old() {
    for path in files::entries(Path::new(FOLDERS)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !files::words(pid).contains("bench")) {
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    let path = path.to_string_lossy();
    let removed = shell::succeeds(&mut shell::command("rm", &["-rf", "--one-file-system", &path]));
    if !removed.unwrap_or_default() {
        eprintln!("bench: cannot remove {path}");
    }
}
