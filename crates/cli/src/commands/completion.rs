//! `completion` and `manual`: what a shell and `man` are told of the commands.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::{Shell, env::Shells};

use super::OK;
use crate::{
    arguments::Arguments,
    candidates::VARIABLE,
    context::Context,
    error::{Error, Result},
    stdout,
};

/// What the program is called.
const NAME: &str = "microcloud";

/// Prints what a shell needs to complete commands, and names of what there is.
#[derive(Debug, clap::Args)]
pub(crate) struct Completion {
    /// Shell
    shell: Shell,
}

/// Writes manual pages.
#[derive(Debug, clap::Args)]
pub(crate) struct Manual {
    /// Folder for them, such as /usr/local/share/man/man1
    folder: PathBuf,
}

impl Completion {
    pub(crate) async fn run(self, _: &Context) -> Result<u8> {
        let (mut script, name) = (Vec::new(), self.shell.to_string());
        let shells = Shells::builtins();
        let known =
            shells.completer(&name).ok_or(Error::Usage("there is no completion for this shell"))?;
        let written = known.write_registration(VARIABLE, NAME, NAME, NAME, &mut script);
        written.map_err(Error::Stdio)?;
        stdout::write_bytes(&script);
        Ok(OK)
    }
}

impl Manual {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let failed = |source| Error::File { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Arguments::command(), &self.folder).map_err(failed)?;
        cx.say(format!("see: man -l {}", self.folder.join(format!("{NAME}.1")).display()));
        Ok(OK)
    }
}
