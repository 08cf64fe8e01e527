//! Tokens that wait to be spent, of clients and of members: operations that are listed and taken back.

use serde_json::Value;
use wire::{
    Empty, Operation, OperationClass, StatusCode, Timestamp,
    endpoints::operations::{OperationDelete, OperationsList},
    query::NoQuery,
};

use crate::{
    context::Context,
    error::{Error, Result},
    output::{FormatArg, Table, human},
};

/// Whom a token was made for; empty for tokens of another kind.
pub(super) type NameOf = fn(&Operation) -> &str;

/// What a token says under a key.
pub(super) fn said<'a>(token: &'a Operation, key: &str) -> Option<&'a Value> {
    token.metadata.as_ref()?.get(key)
}

/// Prints those that wait.
pub(super) async fn list(cx: &Context, format: FormatArg, name_of: NameOf) -> Result<()> {
    format.print(&waiting(cx, name_of).await?, |tokens| table(tokens, name_of))
}

/// Takes one back.
pub(super) async fn revoke(cx: &Context, name: &str, name_of: NameOf) -> Result<()> {
    let mut found = waiting(cx, name_of).await?.into_iter().filter(|one| name_of(one) == name);
    let token = found.next().ok_or(Error::Usage("there is no token of that name"))?;
    let path = [token.id.as_str()];
    cx.client.call::<OperationDelete>(&path, &NoQuery {}, &Empty {}).await?;
    cx.say(format!("Token of {name} taken back"));
    Ok(())
}

async fn waiting(cx: &Context, name_of: NameOf) -> Result<Vec<Operation>> {
    let by_state = cx.client.get::<OperationsList>(&[], &cx.list()).await?;
    let all = by_state.into_values().flat_map(wire::Listing::into_full);
    let waits = |one: &Operation| {
        one.class == OperationClass::Token && one.status_code == StatusCode::RUNNING
    };
    Ok(all.filter(|one| waits(one) && !name_of(one).is_empty()).collect())
}

fn table(tokens: &[Operation], name_of: NameOf) -> Table {
    let mut table = Table::new(["NAME", "CREATED", "EXPIRES"]);
    for one in tokens {
        let until = said(one, "expiresAt").cloned();
        let until = until.and_then(|moment| serde_json::from_value::<Timestamp>(moment).ok());
        table.row([
            name_of(one).to_owned(),
            human::moment(one.created_at),
            until.map(human::moment).unwrap_or_default(),
        ]);
    }
    table
}
