//! `warning`: what the server could not do as asked.

use wire::{
    Empty, Warning as AWarning, WarningPut,
    endpoints::warnings::{WarningDelete, WarningGet, WarningReplace, WarningsList},
    query::{ListQuery, NoQuery},
};

use super::OK;
use crate::{
    context::Context,
    error::Result,
    output::{self, FormatArg, Table, human},
};

/// Warnings.
#[derive(Debug, clap::Args)]
pub(crate) struct Warning {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List warnings that nobody knows of yet
    #[command(visible_alias = "ls")]
    List {
        /// Those that are acknowledged or resolved, too
        #[arg(long, short)]
        all: bool,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Show a warning
    Show {
        /// Its UUID
        uuid: String,
    },
    /// Say that you know of warnings
    #[command(visible_alias = "ack")]
    Acknowledge {
        /// Their UUIDs
        #[arg(required = true)]
        uuids: Vec<String>,
    },
    /// Delete warnings
    #[command(visible_alias = "rm")]
    Delete {
        /// Their UUIDs
        #[arg(required_unless_present = "all")]
        uuids: Vec<String>,
        /// All of them
        #[arg(long, short, conflicts_with = "uuids")]
        all: bool,
    },
}

impl Warning {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List { all, format } => {
                let mut found = known(cx).await?;
                found.retain(|one| all || one.status == "new");
                format.print(&found, table)?;
            }
            Verb::Show { uuid } => {
                let found = cx.client.get::<WarningGet>(&[&uuid], &NoQuery {}).await?;
                output::yaml(&found)?;
            }
            Verb::Acknowledge { uuids } => {
                let put = WarningPut { status: String::from("acknowledged") };
                for uuid in uuids {
                    cx.client.call::<WarningReplace>(&[&uuid], &NoQuery {}, &put).await?;
                }
            }
            Verb::Delete { uuids, all } => {
                let found = if all { known(cx).await? } else { Vec::new() };
                let of_all = found.into_iter().map(|one| one.uuid);
                for uuid in uuids.into_iter().chain(of_all) {
                    cx.client.call::<WarningDelete>(&[&uuid], &NoQuery {}, &Empty {}).await?;
                }
            }
        }
        Ok(OK)
    }
}

/// Those of all projects, unless one is named.
async fn known(cx: &Context) -> Result<Vec<AWarning>> {
    let query = ListQuery { project: cx.project.clone(), recursion: 1, ..ListQuery::default() };
    Ok(cx.client.get::<WarningsList>(&[], &query).await?.into_full())
}

fn table(warnings: &[AWarning]) -> Table {
    let mut table = Table::new([
        "UUID",
        "TYPE",
        "STATUS",
        "SEVERITY",
        "COUNT",
        "PROJECT",
        "LAST SEEN",
        "MESSAGE",
    ]);
    for one in warnings {
        table.row([
            one.uuid.clone(),
            one.r#type.clone(),
            one.status.to_uppercase(),
            one.severity.to_uppercase(),
            one.count.to_string(),
            one.project.clone(),
            human::moment(one.last_seen_at),
            one.last_message.clone(),
        ]);
    }
    table
}
