//! `completion`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::OK;
use crate::{arguments::Arguments, context::Context, error::Result, stdout};

/// Prints a completion script.
#[derive(Debug, clap::Args)]
pub(crate) struct Completion {
    /// Shell
    shell: Shell,
}

impl Completion {
    pub(crate) async fn run(self, _: &Context) -> Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "microcloud", &mut script);
        stdout::write_bytes(&script);
        Ok(OK)
    }
}
