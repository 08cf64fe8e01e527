//! `/1.0/events`: what happens, as it happens.
//!
//! Nobody waits for a slow client: it loses events and is told how many.

use axum::{
    extract::ws::{Message, WebSocket},
    response::Response,
};
use bytes::Bytes;
use cloud::{Caller, access::Rights};
use futures_util::{SinkExt, StreamExt};
use tasks::{Filter, Item, Subscription};
use tokio::sync::mpsc::Receiver;
use wire::{
    ConfigMap, Event, EventKind, EventLogging, Timestamp, endpoints::server::EventsGet,
    query::EventsQuery,
};

use crate::{
    error::{Error, Result},
    forward,
    routes::{RawCall, Routes},
    sockets,
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.raw::<EventsGet, _>(listen)
}

async fn listen(RawCall { call, request }: RawCall<EventsGet>) -> Result<Response> {
    let filter = held(&call.caller, filter(&call.query)?)?;
    let tokens = call.caller.rights == Rights::Everything;
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let upgrade = sockets::upgrade(request).await?;
    // Before the client hears that it is connected, so that it misses nothing after.
    let events = call.world.bus().subscribe(filter);
    let location = call.world.bus().location();
    let elsewhere = match call.only_here {
        true => None,
        false => Some(forward::listen(&call.world, &call.caller, &target).await),
    };
    Ok(upgrade.on_upgrade(async move |websocket| {
        pass_on(events, elsewhere, websocket, &location, tokens).await;
    }))
}

/// What a client wants to hear of.
fn filter(query: &EventsQuery) -> Result<Filter> {
    let words = query.kinds.as_deref().unwrap_or_default().split(',');
    let kinds = words.map(str::trim).filter(|word| !word.is_empty()).map(kind);
    let project = (!query.all_projects).then(|| query.project().to_owned());
    Ok(Filter { kinds: kinds.collect::<Result<_>>()?, project })
}

/// What a client that is held to projects may hear: of one of them, and nothing of the daemon's log.
fn held(caller: &Caller, mut filter: Filter) -> Result<Filter> {
    if caller.rights == Rights::Everything {
        return Ok(filter);
    }
    caller.check(filter.project.as_deref().ok_or(Error::Forbidden)?)?;
    if filter.kinds.contains(&EventKind::Logging) {
        return Err(Error::Forbidden);
    }
    if filter.kinds.is_empty() {
        filter.kinds = vec![EventKind::Lifecycle, EventKind::Operation];
    }
    Ok(filter)
}

/// Whether a token is told of, which opens the whole server.
fn is_of_token(item: &Item) -> bool {
    match item {
        Item::Event(event) => {
            event.r#type == EventKind::Operation && event.metadata["class"] == "token"
        }
        Item::Gap(_) => false,
    }
}

fn kind(word: &str) -> Result<EventKind> {
    let known = [EventKind::Lifecycle, EventKind::Operation, EventKind::Logging];
    match known.into_iter().find(|kind| kind.as_str() == word) {
        Some(kind) => Ok(kind),
        // Known to clients, but this server sends none.
        None if word == "ovn" => Ok(EventKind::Other),
        None => Err(Error::bad("event type", format!("\"{word}\": lifecycle, operation, logging"))),
    }
}

/// Sends events until one of the two goes away.
async fn pass_on(
    mut events: Subscription,
    mut elsewhere: Option<Receiver<Bytes>>,
    websocket: WebSocket,
    location: &str,
    tokens: bool,
) {
    let (mut sink, mut stream) = websocket.split();
    loop {
        tokio::select! {
            item = events.next() => {
                let Some(item) = item else { break };
                if !tokens && is_of_token(&item) {
                    continue;
                }
                if sink.send(Message::Text(text(&item, location).into())).await.is_err() {
                    return;
                }
            }
            Some(event) = next(&mut elsewhere) => {
                let text = String::from_utf8_lossy(&event).into_owned();
                if sink.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            // What a client says here means nothing, but pings are answered by reading.
            heard = stream.next() => match heard {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
    let until_gone = async { while let Some(Ok(_)) = stream.next().await {} };
    sockets::farewell(&mut sink, until_gone, sockets::PATIENCE).await;
}

/// The next event of another member; none ever where there are no others.
async fn next(elsewhere: &mut Option<Receiver<Bytes>>) -> Option<Bytes> {
    elsewhere.as_mut()?.recv().await
}

fn text(item: &Item, location: &str) -> String {
    let json = match item {
        Item::Event(event) => serde_json::to_string(&**event),
        Item::Gap(lost) => serde_json::to_string(&gap(*lost, location)),
    };
    // The API's types have string keys only and always turn into JSON.
    json.unwrap_or_default()
}

/// How a client hears that it missed something.
fn gap(lost: u64, location: &str) -> Event {
    let line = EventLogging {
        level: String::from("warning"),
        message: String::from("Events were lost because the client reads too slowly"),
        context: ConfigMap::from([(String::from("lost"), lost.to_string())]),
    };
    Event {
        r#type: EventKind::Logging,
        timestamp: Timestamp::from(clock::utc()),
        metadata: serde_json::to_value(line).unwrap_or_default(),
        location: location.to_owned(),
        project: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(kinds: Option<&str>) -> EventsQuery {
        EventsQuery { kinds: kinds.map(str::to_owned), ..EventsQuery::default() }
    }

    #[test]
    fn a_client_says_what_it_wants_to_hear_of() {
        let all = filter(&query(None)).unwrap();
        assert_eq!((all.kinds, all.project.as_deref()), (Vec::new(), Some("default")));
        let some = filter(&query(Some("logging,lifecycle"))).unwrap();
        assert_eq!(some.kinds, [EventKind::Logging, EventKind::Lifecycle]);
        assert!(filter(&query(Some("operation,rumours"))).is_err());
        let everywhere = EventsQuery { all_projects: true, ..query(None) };
        assert_eq!(filter(&everywhere).unwrap().project, None);
    }

    #[test]
    fn a_gap_reads_as_a_warning() {
        let told: Event = serde_json::from_str(&text(&Item::Gap(7), "none")).unwrap();
        assert_eq!(told.r#type, EventKind::Logging);
        assert_eq!(told.metadata["level"], "warning");
        assert_eq!(told.metadata["context"]["lost"], "7");
    }
}
