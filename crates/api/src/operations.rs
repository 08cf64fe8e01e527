//! `/1.0/operations`

use std::{collections::BTreeMap, time::Duration};

use axum::response::Response;
use cloud::{World, access::Rights};
use uuid::Uuid;
use wire::{
    Empty, Endpoint, Listing, Operation, OperationClass, endpoints::operations::*, query::ListQuery,
};

use crate::{
    error::{Error, Result},
    forward, listing,
    routes::{Call, RawCall, Routes},
    sockets,
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<OperationsList, _>(list)
        .sync::<OperationGet, _>(get)
        .sync::<OperationDelete, _>(cancel)
        .sync::<OperationWait, _>(wait)
        .raw::<OperationWebsocket, _>(websocket)
}

fn find(world: &World, id: &str) -> Result<tasks::Operation> {
    let id: Uuid = id.parse().map_err(|_| Error::NotFound)?;
    Ok(world.operations.get(id)?)
}

/// The operation of a request; one that the caller may not see is not there for it.
fn seen<E: Endpoint>(call: &Call<E>) -> Result<tasks::Operation> {
    let found = find(&call.world, call.path("id"));
    match (&call.caller.rights, found) {
        (Rights::Nothing | Rights::Metrics, _) => Err(Error::Forbidden),
        (rights, Ok(found)) if !may_see(rights, &found) => Err(Error::NotFound),
        (_, found) => found,
    }
}

/// The operation of a request, by its secret.
fn opened<E: Endpoint>(call: &Call<E>, secret: &str) -> Result<tasks::Operation> {
    let found = find(&call.world, call.path("id"));
    let opens = |operation: &tasks::Operation| cloud::certificates::opens(operation, secret);
    found.ok().filter(opens).ok_or(Error::Forbidden)
}

/// A token opens the whole server: whoever is held to projects sees none.
fn may_see(rights: &Rights, operation: &tasks::Operation) -> bool {
    let asked = operation.request();
    let all = *rights == Rights::Everything;
    all || (rights.within(&asked.project) && asked.class != OperationClass::Token)
}

async fn list(call: Call<OperationsList>) -> Result<BTreeMap<String, Listing<Operation>>> {
    let project = listing::project(&call.query, &call.caller)?;
    let mut found = call.world.operations.list(project);
    found.retain(|one| may_see(&call.caller.rights, one));
    let mut all: Vec<_> = found.iter().map(tasks::Operation::render).collect();
    if !call.only_here && call.world.is_clustered() {
        let query = ListQuery { recursion: 1, filter: None, ..call.query.clone() };
        let asked = forward::ask_all::<OperationsList>(&call.world, &call.caller, &query).await;
        let answers = asked.into_iter().filter_map(|(_, answer)| answer);
        all.extend(answers.flat_map(BTreeMap::into_values).flat_map(Listing::into_full));
    }
    grouped(&call.query, all)
}

/// By the word for their state, in small letters.
fn grouped(
    query: &ListQuery,
    operations: Vec<Operation>,
) -> Result<BTreeMap<String, Listing<Operation>>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for operation in operations {
        groups.entry(operation.status.to_lowercase()).or_default().push(operation);
    }
    let listed = groups
        .into_iter()
        .map(|(status, group)| Ok((status, listing::of(query, group, Operation::url)?)));
    listed.collect()
}

async fn get(call: Call<OperationGet>) -> Result<Operation> {
    Ok(seen(&call)?.render())
}

async fn cancel(call: Call<OperationDelete>) -> Result<Empty> {
    seen(&call)?.cancel()?;
    Ok(Empty {})
}

async fn wait(call: Call<OperationWait>) -> Result<Operation> {
    let operation = match call.query.secret.as_deref() {
        None | Some("") => seen(&call)?,
        Some(secret) => opened(&call, secret)?,
    };
    match call.query.timeout {
        Some(seconds @ 0..) => {
            operation.wait_timeout(Duration::from_secs(seconds.unsigned_abs())).await
        }
        _ => operation.wait().await,
    };
    Ok(operation.render())
}

async fn websocket(RawCall { call, request }: RawCall<OperationWebsocket>) -> Result<Response> {
    let operation = find(&call.world, call.path("id"))?;
    let upgrade = sockets::upgrade(request).await?;
    let seat = operation.claim(call.query.secret.as_deref().unwrap_or_default())?;
    Ok(upgrade.on_upgrade(|websocket| sockets::join(websocket, seat)))
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    fn operation(id: &str, status: &str) -> Operation {
        Operation { id: id.to_owned(), status: status.to_owned(), ..Operation::default() }
    }

    #[test]
    fn operations_are_grouped_by_their_state() {
        let all = [operation("1", "Running"), operation("2", "Success"), operation("3", "Running")];
        let urls = grouped(&ListQuery::default(), all.to_vec()).unwrap();
        let want = json!({
            "running": ["/1.0/operations/1", "/1.0/operations/3"],
            "success": ["/1.0/operations/2"],
        });
        assert_eq!(to_value(urls).unwrap(), want);
        let recursive = ListQuery { recursion: 1, ..ListQuery::default() };
        let full = to_value(grouped(&recursive, all.to_vec()).unwrap()).unwrap();
        assert_eq!(full["running"][1]["id"], "3");
    }

    #[test]
    fn nothing_goes_on() {
        assert_eq!(to_value(grouped(&ListQuery::default(), vec![]).unwrap()).unwrap(), json!({}));
    }
}
