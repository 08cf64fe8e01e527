//! `alias`: commands of the user's own.

use super::OK;
use crate::{
    aliases::Aliases,
    context::Context,
    error::{Error, Result},
    output::{FormatArg, Table},
};

/// Words that stand for others.
#[derive(Debug, clap::Args)]
pub(crate) struct Alias {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List them
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        format: FormatArg,
    },
    /// Have a word stand for others: alias add ll list -c ns
    Add {
        /// The word
        alias: String,
        /// What it stands for; @ARGS@ is where the words behind it go, else they come last
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Forget one
    #[command(visible_alias = "rm")]
    Remove {
        /// The word
        alias: String,
    },
    /// Give one another name
    #[command(visible_alias = "mv")]
    Rename {
        /// The word
        alias: String,
        /// What it is to be
        new_name: String,
    },
}

impl Alias {
    pub(crate) async fn run(self, _: &Context) -> Result<u8> {
        let mut all = Aliases::load()?;
        match self.verb {
            Verb::List { format } => {
                let all: Vec<_> = all.0.into_iter().collect();
                format.print(&all, |all| {
                    let mut table = Table::new(["ALIAS", "STANDS FOR"]);
                    for (alias, words) in all {
                        table.row([alias.clone(), words.join(" ")]);
                    }
                    table
                })?;
                return Ok(OK);
            }
            Verb::Add { alias, words } => all.add(&alias, words)?,
            Verb::Remove { alias } => drop(take(&mut all, alias)?),
            Verb::Rename { alias, new_name } => {
                let words = take(&mut all, alias)?;
                all.add(&new_name, words)?;
            }
        }
        all.store()?;
        Ok(OK)
    }
}

fn take(all: &mut Aliases, alias: String) -> Result<Vec<String>> {
    all.0.remove(&alias).ok_or(Error::NoAlias(alias))
}
