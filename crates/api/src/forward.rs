//! Requests that belong to another member go there, and its answer comes back: whoever asks one member asks all.
//!
//! ```text
//! client ──> this member ── whose? ──> here: the routes
//!                             └──> another: the same request, for the same caller; bodies and websockets stream
//! ```
//! Members ask each other once: what comes from one is answered here. Only an instance may have gone on to a third
//! meanwhile, which the one that asks does not know yet: that is asked in turn, once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Query, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use client::Client;
use cloud::{
    Caller, World,
    cluster::{self, Asked, CALLER, Place, SEEN},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use wire::{Empty, Endpoint};

use crate::{
    access::Peer,
    error::{Error, Result},
    routes, upload,
};

/// Sends a request on that belongs to another member.
pub(crate) async fn forward(
    State(world): State<Arc<World>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    // Members may need this one's vote before it has found what is there.
    if !world.is_open() && !request.uri().path().starts_with("/internal/cluster/") {
        return Error::Starting.into_response();
    }
    if world.cluster.is_removed() && !is_for_the_removed(request.uri().path()) {
        return Error::from(cloud::Error::Removed).into_response();
    }
    let unfit = world.unfit().filter(|_| !is_for_the_unfit(request.uri().path()));
    if let Some(unfit) = unfit {
        return Error::from(cloud::Error::from(unfit)).into_response();
    }
    let member = peer.member(&world);
    if let Some(place) = &member {
        world.cluster.links.heard(place.id);
    }
    if !world.is_clustered() {
        return next.run(request).await;
    }
    let tells = member.is_some() && request.headers().contains_key(SEEN);
    if tells {
        catch_up(&world, request.headers()).await;
    }
    let found = match member {
        None => whose(&world, &peer, request).await,
        Some(_) => went_on(&world, request),
    };
    let mut response = match found {
        Ok((None, request)) => next.run(request).await,
        Ok((Some(place), request)) => match send(&world, &peer, &place, request).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        },
        Err(error) => error.into_response(),
    };
    if tells {
        response.headers_mut().insert(SEEN, HeaderValue::from(world.seen()));
    }
    response
}

/// The mark of a request that was sent on by a member that was asked by another.
const AGAIN: &str = "x-microcloud-again";

/// Where an instance is by now that another member seeks here.
fn went_on(world: &World, mut request: Request) -> Result<(Option<Place>, Request)> {
    let of_instance = |asked: &Asked| asked.path.len() > 2 && INSTANCES.contains(&&*asked.path[1]);
    let asked = asked(&request).filter(of_instance);
    let Some(asked) = asked.filter(|_| !request.headers().contains_key(AGAIN)) else {
        return Ok((None, request));
    };
    let place = cluster::whose(world, &asked)?;
    request.headers_mut().insert(AGAIN, HeaderValue::from_static("1"));
    Ok((place, request))
}

/// What instances are called in addresses.
const INSTANCES: [&str; 3] = ["instances", "containers", "virtual-machines"];

/// Waits for what the other member has seen that asks or answers.
async fn catch_up(world: &World, headers: &HeaderMap) {
    let seen = headers.get(SEEN).and_then(|seen| seen.to_str().ok()?.parse().ok());
    if let Some(seen) = seen {
        world.catch_up(seen).await;
    }
}

/// What a server that was removed from its cluster still answers: what it is, and how it is let go.
fn is_for_the_removed(path: &str) -> bool {
    matches!(path, "/1.0" | "/1.0/cluster" | "/internal/cluster/leave")
        || path.starts_with("/1.0/operations/")
}

/// What a member still answers that is of another version than the database is for: whether it is there, what lets it
/// vote and be found, and how it goes on alone or as none.
fn is_for_the_unfit(path: &str) -> bool {
    let what = path.strip_prefix("/internal/cluster/").unwrap_or_default();
    matches!(what, "ping" | "store" | "standing" | "address" | "leave" | "recover")
        || path.starts_with("/1.0/operations/")
}

async fn whose(world: &World, peer: &Peer, request: Request) -> Result<(Option<Place>, Request)> {
    // One that cannot be read is refused by its route.
    let Some(asked) = asked(&request) else { return Ok((None, request)) };
    if asked.makes && asked.path.len() == 2 && INSTANCES.contains(&&*asked.path[1]) {
        return place_new(world, peer, &asked.query, request).await;
    }
    Ok((cluster::whose(world, &asked)?, request))
}

/// A request's address, taken apart.
fn asked(request: &Request) -> Option<Asked> {
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(request.uri()).ok()?;
    let path = request.uri().path().trim_matches('/').split('/').map(decoded).collect();
    let makes = request.method() == Method::POST;
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    Some(Asked { looks, makes, path, query })
}

/// Where a new instance goes; what is copied says so in the body.
async fn place_new(
    world: &World,
    peer: &Peer,
    query: &BTreeMap<String, String>,
    request: Request,
) -> Result<(Option<Place>, Request)> {
    let project = query.get("project").filter(|name| !name.is_empty());
    let project = project.map_or(wire::DEFAULT_PROJECT, String::as_str);
    let caller = peer.caller(world, request.headers())?;
    caller.check(project)?;
    let wanted = query.get("target").map(String::as_str);
    let target = cluster::allowed_target(world, &caller, project, wanted)?;
    let target = target.as_deref();
    if upload::is_file(&request) {
        let place = cluster::place_for_instance(world, target, None, "", None).await?;
        cluster::check_place(world, project, place.as_ref())?;
        return Ok((place, request));
    }
    let (parts, body) = request.into_parts();
    let bytes = routes::bytes(body).await?;
    let post: wire::InstancesPost = serde_json::from_slice(&bytes).unwrap_or_default();
    let from = Some(post.source.project.as_str()).filter(|name| !name.is_empty());
    let copied = (post.source.r#type == "copy")
        .then(|| (from.unwrap_or(project), post.source.source.as_str()));
    let spread = cluster::spread(world, project, &post)?;
    let architecture = post.architecture.as_str();
    let place = cluster::place_for_instance(world, target, copied, architecture, spread).await?;
    // A copy is made where its source is.
    cluster::check_place(world, project, place.as_ref())?;
    Ok((place, Request::from_parts(parts, Body::from(bytes))))
}

/// A part of a path without its percent signs (RFC 3986, 2.1).
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn send(world: &World, peer: &Peer, place: &Place, mut request: Request) -> Result<Response> {
    let caller = peer.caller(world, request.headers())?;
    let caller = serde_json::to_string(&caller).map_err(|error| Error::bad("caller", error))?;
    let caller = HeaderValue::from_str(&caller).map_err(|error| Error::bad("caller", error))?;
    request.headers_mut().insert(CALLER, caller);
    request.headers_mut().insert(SEEN, HeaderValue::from(world.seen()));
    let target = request.uri().path_and_query().cloned();
    if let Some(target) = target {
        *request.uri_mut() =
            target.as_str().parse().map_err(|error| Error::bad("address", error))?;
    }
    let links = &world.cluster.links;
    let silent = || Error::Silent { member: place.name.clone() };
    let network = links.network(place).ok_or_else(silent)?;
    let mut there = network.connect::<Body>().await.map_err(|_| {
        links.missed(place.id);
        silent()
    })?;
    links.heard(place.id);
    let upgraded = request.headers().contains_key(header::UPGRADE);
    let here = upgraded.then(|| hyper::upgrade::on(&mut request));
    let mut response = there.send_request(request).await.map_err(|_| silent())?;
    catch_up(world, response.headers()).await;
    if let Some(here) = here
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        let far = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            if let (Ok(here), Ok(far)) = tokio::join!(here, far) {
                let (mut here, mut far) = (TokioIo::new(here), TokioIo::new(far));
                // Whichever end breaks ends the other.
                let _ = tokio::io::copy_bidirectional(&mut here, &mut far).await;
            }
        });
    }
    Ok(response.map(Body::new))
}

/// How long another member may take to answer a question that all are asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks every other member for what it has, all at once; none is the answer of one that does not give any.
pub(crate) async fn ask_all<E: Endpoint<Body = Empty>>(
    world: &World,
    caller: &Caller,
    query: &E::Query,
) -> Vec<(Place, Option<E::Reply>)> {
    let links = &world.cluster.links;
    let asked = links.others().into_iter().map(async |place| {
        if links.is_silent(place.id) {
            return (place, None);
        }
        let answer = tokio::time::timeout(PATIENCE, ask::<E>(world, &place, caller, query)).await;
        let answer = answer.ok().flatten();
        match &answer {
            // One that refuses is there.
            Some(Ok(_) | Err(client::Error::Api { .. })) => links.heard(place.id),
            _ => links.missed(place.id),
        }
        (place, answer.and_then(Result::ok))
    });
    futures_util::future::join_all(asked).await
}

async fn ask<E: Endpoint<Body = Empty>>(
    world: &World,
    place: &Place,
    caller: &Caller,
    query: &E::Query,
) -> Option<client::Result<E::Reply>> {
    let (client, caller) = client(world, place, caller)?;
    let request = client.request::<E>(&[]).query(query).ok()?.header(CALLER, caller);
    let answer = request.send().await.inspect_err(|error| {
        tracing::debug!(member = place.name, %error, "a member does not answer");
    });
    Some(answer.map(|answer| answer.reply))
}

/// A client of another member, and what it is to be told of who asks.
fn client(world: &World, place: &Place, caller: &Caller) -> Option<(Client, String)> {
    let client = Client::remote(world.cluster.links.network(place)?);
    Some((client, serde_json::to_string(caller).ok()?))
}

/// Events of the others that wait for a client.
const EVENTS: usize = 256;

/// What the other members tell of, as a client of each hears it. Those that do not answer soon tell nothing.
pub(crate) async fn listen(world: &World, caller: &Caller, target: &str) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(EVENTS);
    let links = &world.cluster.links;
    let there = links.others().into_iter().filter(|place| !links.is_silent(place.id));
    let heard = there.map(async |place| {
        let open = open(world, &place, caller, target);
        let Ok(Some(socket)) = tokio::time::timeout(PATIENCE, open).await else {
            return links.missed(place.id);
        };
        let (mut events, keep) = socket.split();
        let sender = sender.clone();
        tokio::spawn(async move {
            let _keep = keep;
            loop {
                let next = tokio::select! {
                    next = events.next() => next,
                    () = sender.closed() => return,
                };
                let Ok(Some(event)) = next else { return };
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        });
    });
    futures_util::future::join_all(heard).await;
    receiver
}

async fn open(
    world: &World,
    place: &Place,
    caller: &Caller,
    target: &str,
) -> Option<client::Socket> {
    let (client, caller) = client(world, place, caller)?;
    client.websocket_with(target, (CALLER, &caller)).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_is_decoded() {
        for (given, want) in
            [("web", "web"), ("a%20b", "a b"), ("%2e", "."), ("100%", "100%"), ("%zz", "%zz")]
        {
            assert_eq!(decoded(given), want);
        }
    }
}
