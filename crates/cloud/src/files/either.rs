//! The files of an instance or a volume, whoever serves them.

use std::path::Path;

use runtime::{
    Result,
    files::{Change, Entry, File, FileKind, Owner, Seen, Writing},
};

/// Who is asked. Each verb blocks.
pub(super) enum Files {
    /// A thread or process of this machine.
    Here(runtime::files::Files),
    /// The agent in a virtual machine.
    Agent(agent::Files),
}

/// The verbs, which both have.
macro_rules! ask {
    ($self:ident, $files:ident => $call:expr) => {
        match $self {
            Files::Here($files) => $call,
            Files::Agent($files) => $call,
        }
    };
}

impl Files {
    pub(super) fn look(&self, path: &Path, follow: bool) -> Result<Seen> {
        ask!(self, files => files.look(path, follow))
    }

    pub(super) fn list(&self, path: &Path) -> Result<Vec<Entry>> {
        ask!(self, files => files.list(path))
    }

    pub(super) fn link(&self, path: &Path) -> Result<String> {
        ask!(self, files => files.link(path))
    }

    pub(super) fn read(&self, path: &Path) -> Result<File> {
        ask!(self, files => files.read(path))
    }

    pub(super) fn write(&self, path: &Path, how: Writing, owner: Owner) -> Result<File> {
        ask!(self, files => files.write(path, how, owner))
    }

    pub(super) fn commit(&self, path: &Path) -> Result<()> {
        ask!(self, files => files.commit(path))
    }

    pub(super) fn make_folder(&self, path: &Path, owner: Owner) -> Result<()> {
        ask!(self, files => files.make_folder(path, owner))
    }

    pub(super) fn make_link(&self, path: &Path, target: &Path, owner: Owner) -> Result<()> {
        ask!(self, files => files.make_link(path, target, owner))
    }

    /// A path in order: no `.`, no `..`.
    pub(super) fn resolve(&self, path: &Path) -> Result<String> {
        ask!(self, files => files.resolve(path))
    }

    pub(super) fn rename(&self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        ask!(self, files => files.rename(from, to, replace))
    }

    pub(super) fn change(&self, path: &Path, change: &Change) -> Result<()> {
        ask!(self, files => files.change(path, change))
    }

    pub(super) fn remove(&self, path: &Path, kind: Option<FileKind>) -> Result<()> {
        ask!(self, files => files.remove(path, kind))
    }
}
