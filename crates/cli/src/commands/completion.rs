//! `completion`.

use std::io::stdout;

use clap::CommandFactory;
use clap_complete::Shell;

use super::OK;
use crate::{arguments::Arguments, context::Context, error::Result};

/// Prints a completion script.
#[derive(Debug, clap::Args)]
pub(crate) struct Completion {
    /// Shell
    shell: Shell,
}

impl Completion {
    pub(crate) async fn run(self, _: &Context) -> Result<u8> {
        clap_complete::generate(self.shell, &mut Arguments::command(), "microcloud", &mut stdout());
        Ok(OK)
    }
}
