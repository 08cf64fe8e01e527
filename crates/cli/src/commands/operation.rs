//! `operation`: what the server is doing.

use wire::{
    Empty, Operation as Op, OperationClass,
    endpoints::operations::{OperationDelete, OperationGet, OperationsList},
    query::NoQuery,
};

use super::OK;
use crate::{
    context::Context,
    error::Result,
    output::{self, FormatArg, Table, human},
};

/// Operations.
#[derive(Debug, clap::Args)]
pub(crate) struct Operation {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List operations
    #[command(visible_alias = "ls")]
    List(FormatArg),
    /// Show an operation
    Show {
        /// Id
        id: String,
    },
    /// Cancel an operation
    #[command(visible_alias = "cancel")]
    Delete {
        /// Id
        id: String,
    },
}

impl Operation {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List(format) => {
                let by_state = cx.client.get::<OperationsList>(&[], &cx.list()).await?;
                let mut all: Vec<Op> =
                    by_state.into_values().flat_map(wire::Listing::into_full).collect();
                all.sort_by_key(|operation| operation.created_at);
                format.print(&all, table)?;
            }
            Verb::Show { id } => {
                output::yaml(&cx.client.get::<OperationGet>(&[&id], &NoQuery {}).await?)?
            }
            Verb::Delete { id } => {
                cx.client.call::<OperationDelete>(&[&id], &NoQuery {}, &Empty {}).await?;
                cx.say(format!("Operation {id} deleted"));
            }
        }
        Ok(OK)
    }
}

fn table(operations: &[Op]) -> Table {
    let mut table = Table::new(["ID", "TYPE", "DESCRIPTION", "STATUS", "CANCELABLE", "CREATED"]);
    for operation in operations {
        let kind = match operation.class {
            OperationClass::Task => "TASK",
            OperationClass::Websocket => "WEBSOCKET",
            OperationClass::Token => "TOKEN",
        };
        table.row([
            operation.id.clone(),
            kind.into(),
            operation.description.clone(),
            operation.status.to_uppercase(),
            human::yes(operation.may_cancel).into(),
            human::moment(operation.created_at),
        ]);
    }
    table
}
