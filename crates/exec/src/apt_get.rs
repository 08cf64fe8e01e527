//! `apt-get` with sources and state of its own: fetches single packages, checked against the
//! archive's signature, and never touches what this machine has installed.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

const TIMEOUT: Duration = Duration::from_secs(600);
/// What apt needs of our environment to reach its mirrors.
const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// Reads the package lists of the archives in `folder/sources.list`. The folder must also have
/// `status` (empty), `lists/partial/` and `cache/archives/partial/`.
pub fn update(folder: &Path, control: &Control) -> Result<()> {
    run(tool(folder).arg("update"), control).map(drop)
}

/// Fetches the file of one package into the folder, after [`update`].
pub fn download(folder: &Path, package: &str, control: &Control) -> Result<()> {
    run(tool(folder).args(["download", package]).folder(folder), control).map(drop)
}

fn tool(folder: &Path) -> Tool<'static> {
    Tool::new("apt-get", "apt").args(options(folder)).inherit(&PROXIES).timeout(TIMEOUT)
}

fn options(folder: &Path) -> Vec<OsString> {
    let paths = [
        ("Dir::Etc::sourcelist", "sources.list"),
        ("Dir::Etc::sourceparts", "none"),
        ("Dir::State::lists", "lists"),
        ("Dir::State::status", "status"),
        ("Dir::Cache", "cache"),
    ];
    let mut options: Vec<OsString> = vec!["-q".into()];
    for (name, path) in paths {
        let mut option = OsString::from(name);
        option.push("=");
        option.push(folder.join(path));
        options.extend(["-o".into(), option]);
    }
    for option in ["APT::Sandbox::User=root", "Acquire::Retries=3", "Acquire::Languages=none"] {
        options.extend(["-o".into(), option.into()]);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_in_the_folder() {
        let options = options(Path::new("/x"));
        assert_eq!(options[1..3], ["-o", "Dir::Etc::sourcelist=/x/sources.list"]);
        let inside = options.iter().filter(|o| o.to_string_lossy().contains("=/x/"));
        assert_eq!(inside.count(), 5);
    }

    #[test]
    fn an_archive_that_is_not_there_is_an_error_that_says_so() {
        if !crate::installed("apt-get") {
            eprintln!("SKIP: apt-get is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for path in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        std::fs::write(folder.path().join("status"), "").unwrap();
        std::fs::write(
            folder.path().join("sources.list"),
            "deb http://127.0.0.1:1/debian x main\n",
        )
        .unwrap();
        let none = Control::none();
        let _ = update(folder.path(), &none); // apt calls this a warning
        let error = download(folder.path(), "no-such-package", &none).unwrap_err().to_string();
        assert!(error.contains("no-such-package"), "{error}");
    }
}
