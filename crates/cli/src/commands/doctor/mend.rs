//! What `--fix` does: each is a line in a file that can be taken out again.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::machine::Machine;
use crate::error::{Error, Result};

/// Where limits are kept over a restart.
const LIMITS: &str = "/etc/sysctl.d/60-microcloud.conf";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mend {
    /// A limit of the kernel, now and after each restart.
    Limit {
        /// As sysctl names it.
        name: &'static str,
        /// What it is to be.
        value: u64,
    },
    /// A word on the kernel's command line, from the next restart on.
    KernelOption {
        /// The file with the line.
        file: &'static str,
        /// The word.
        option: &'static str,
    },
}

impl Mend {
    pub(super) fn words(&self) -> String {
        match self {
            Mend::Limit { name, value } => format!("{name} = {value} in {LIMITS}, and at once"),
            Mend::KernelOption { file, option } => format!("{option} in {file}; then restart"),
        }
    }

    /// Does it; again is no harm.
    pub(super) fn apply(&self, machine: &Machine) -> Result<()> {
        let (path, done) = match self {
            Mend::Limit { name, value } => {
                let now = format!("/proc/sys/{}", name.replace('.', "/"));
                let set = || fs::write(machine.at(&now), value.to_string());
                let keep = || replace_line(&machine.at(LIMITS), name, &format!("{name} = {value}"));
                (machine.at(LIMITS), keep().and_then(|()| set()))
            }
            Mend::KernelOption { file, option } => {
                let path = machine.at(file);
                let added = add_word(&path, option);
                (path, added)
            }
        };
        done.map_err(|source| Error::File { path, source })
    }
}

/// Has a file end with a line, in place of those that begin with the same word.
fn replace_line(path: &Path, word: &str, line: &str) -> io::Result<()> {
    let old = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let others = old.lines().filter(|line| line.split([' ', '=']).next() != Some(word));
    let text: String = others.chain([line]).map(|line| format!("{line}\n")).collect();
    write(path, &text)
}

/// The kernel's options are one line.
fn add_word(path: &Path, word: &str) -> io::Result<()> {
    let old = fs::read_to_string(path)?;
    let line = old.trim_end();
    match line.split(' ').any(|there| there == word) {
        true => Ok(()),
        false => write(path, &format!("{line} {word}\n")),
    }
}

/// All or nothing, whenever the power is cut: a machine that does not boot any more is worse than all this mends.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    // FAT has no modes; elsewhere such files are for all to read.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let _ = file.as_file().set_permissions(mode);
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}
