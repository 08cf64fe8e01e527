//! Where a program is, and the `PATH` that programs get.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Administrators' programs are here, and users' shells often leave these folders out.
const STANDARD: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Whether `program` can be run on this machine.
pub fn installed(program: &str) -> bool {
    find(program).is_some()
}

/// The file `program` stands for. Looked up here and not by the kernel, so that a missing program
/// has its own error and the child can be started without a fork of this process.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| executable(path));
    }
    folders().into_iter().map(|folder| folder.join(program)).find(|path| executable(path))
}

/// Our own `PATH` and after it the standard folders it lacks.
pub(crate) fn search_path() -> OsString {
    std::env::join_paths(folders()).unwrap_or_else(|_| STANDARD.join(":").into())
}

fn folders() -> Vec<PathBuf> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&own).filter(|folder| folder.is_absolute()).collect();
    for folder in STANDARD.map(PathBuf::from) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
