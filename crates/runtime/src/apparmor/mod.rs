//! The AppArmor profile of a container, or of QEMU in one: a second wall behind the user namespace, and the main one
//! around a privileged container.
//!
//! ```text
//! daemon, before a start:  available? -> Profile::text -> load          after the end: unload
//! PID 1 and every process started inside, just before it becomes its program: set_exec_label
//! ```
//! All of a container runs under one label. Machines without AppArmor, or whose kernel has it
//! switched off, have `available() == false` and instances without a label.
//!
//! Left out: profiles for helper programs of the host.

mod features;
mod machine;
mod profile;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use features::{Abi, Features, available};
pub use profile::Profile;

/// Names of profile namespaces are folders here.
const NAMESPACES: &str = "/sys/kernel/security/apparmor/policy/namespaces";

/// Why a profile could not be put in place.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be made, written or removed.
    #[error("{operation} {}", .path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The profile could not be compiled, loaded or removed.
    #[error("AppArmor profile {name}")]
    Parser {
        /// The profile.
        name: String,
        /// What the parser said.
        #[source]
        source: exec::Error,
    },
}

/// The name of an instance's profile. `tag` is the daemon's, because several on one machine may have
/// instances of the same id; both consist of `[a-zA-Z0-9_.-]`.
pub fn profile_name(tag: &str, id: &str) -> String {
    format!("microcloud-{tag}_{id}")
}

/// What to pass to [`set_exec_label`]: the profile alone, or with `stacked` a namespace of the same
/// name below it, in which the container may load profiles of its own.
pub fn label(profile: &str, stacked: bool) -> String {
    if stacked { format!("{profile}//&:{profile}:unconfined") } else { profile.to_owned() }
}

/// Writes the profile into `folder`, compiles it and loads it into the kernel; an older one of this
/// name is replaced, for processes that run under it too. For a profile with `stacked`, makes its
/// namespace.
pub fn load(folder: &Path, profile: &Profile<'_>) -> Result<(), Error> {
    let cache = folder.join("cache");
    fs::create_dir_all(&cache).map_err(|e| at("make", &cache, e))?;
    let file = folder.join(profile.name);
    fs::write(&file, profile.text()).map_err(|e| at("write", &file, e))?;
    exec::apparmor_parser::load(&file, &cache).map_err(|e| parser(profile.name, e))?;
    if !profile.stacked {
        return Ok(());
    }
    let namespace = Path::new(NAMESPACES).join(profile.name);
    match fs::create_dir(&namespace) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(at("make", &namespace, e)),
        _ => Ok(()),
    }
}

/// Takes the profile `name`, its namespace and its files away; those that are gone are no error. All
/// is tried, and the first failure is returned.
pub fn unload(folder: &Path, name: &str) -> Result<(), Error> {
    let namespace = Path::new(NAMESPACES).join(name);
    let first = gone("remove", &namespace, fs::remove_dir(&namespace));
    let file = folder.join(name);
    if !file.exists() {
        return first;
    }
    // The parser finds the name in the file, so this goes last, and stays for another attempt.
    exec::apparmor_parser::unload(&file).map_err(|e| parser(name, e))?;
    first.and(gone("remove", &file, fs::remove_file(&file)))
}

/// Gives the next program the calling thread executes this label.
pub fn set_exec_label(label: &str) -> Result<(), Error> {
    // The first path is AppArmor's own since Linux 5.8; the second goes to the first security module.
    let paths = ["/proc/thread-self/attr/apparmor/exec", "/proc/thread-self/attr/exec"];
    let path =
        paths.iter().map(Path::new).find(|path| path.exists()).unwrap_or(Path::new(paths[1]));
    // The kernel takes the label in one write and creates no file.
    let open = OpenOptions::new().write(true).open(path);
    let write = |mut file: File| file.write_all(format!("exec {label}").as_bytes());
    open.and_then(write).map_err(|e| at("write", path, e))
}

fn gone(operation: &'static str, path: &Path, result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(operation, path, e)),
        _ => Ok(()),
    }
}

fn at(operation: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { operation, path: path.to_owned(), source }
}

fn parser(name: &str, source: exec::Error) -> Error {
    Error::Parser { name: name.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_daemons_do_not_clash() {
        assert_eq!(profile_name("a1", "default_web"), "microcloud-a1_default_web");
        assert_ne!(profile_name("a1", "default_web"), profile_name("b2", "default_web"));
        assert_eq!(label("p", false), "p");
        assert_eq!(label("p", true), "p//&:p:unconfined");
    }

    #[test]
    fn without_apparmor_a_label_is_an_error_that_says_so() {
        if available() {
            eprintln!("SKIP: this machine has AppArmor");
            return;
        }
        let error = set_exec_label("x").unwrap_err().to_string();
        assert!(error.starts_with("write /proc/thread-self/attr/"), "{error}");
    }

    #[test]
    fn what_was_never_loaded_can_be_unloaded() {
        let folder = tempfile::tempdir().unwrap();
        unload(folder.path(), "microcloud-never").unwrap();
    }
}
