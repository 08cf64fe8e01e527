//! `/1.0/events`: what changes, as it does: over a websocket, or as lines of JSON to who asks plainly.
//!
//! Nobody waits for a slow reader: it loses events.

use std::convert::Infallible;

use axum::{
    Extension,
    body::Body,
    extract::{
        FromRequestParts, Request, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use cloud::{
    devlxd::{News, Seat},
    instances::guests::Guest,
};
use futures_util::stream;
use http::header::UPGRADE;
use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    watch,
};

use super::{Refused, closed};

/// Bytes of what a guest says on a websocket, where nothing is to be said.
const MESSAGE: usize = 4 << 10;

/// What a guest wants to hear of.
struct Wanted {
    news: Receiver<News>,
    config: bool,
    device: bool,
}

pub(super) async fn listen(
    Extension(guest): Extension<Guest>,
    Extension(open): Extension<watch::Receiver<()>>,
    Extension(seat): Extension<Seat>,
    request: Request,
) -> Result<Response, Refused> {
    let (config, device) = kinds(request.uri().query().unwrap_or_default())?;
    // Before the guest hears that it is connected, so that it misses nothing after.
    let wanted = Wanted { news: guest.devlxd().subscribe(), config, device };
    if !request.headers().contains_key(UPGRADE) {
        let lines = stream::unfold(wanted, async |mut wanted| {
            let line = Bytes::from(wanted.next().await? + "\n");
            Some((Ok::<_, Infallible>(line), wanted))
        });
        return Ok(Body::from_stream(lines).into_response());
    }
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|_| Refused::bad("invalid websocket request"))?;
    let upgrade = upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    Ok(upgrade.on_upgrade(async move |websocket| {
        pass_on(wanted, websocket, open).await;
        drop(seat);
    }))
}

/// Which kinds a query asks for: configuration, devices.
fn kinds(query: &str) -> Result<(bool, bool), Refused> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| Refused::bad("invalid query"))?;
    let Some((_, words)) = pairs.iter().find(|(key, _)| key == "type") else {
        return Ok((true, true));
    };
    let words: Vec<&str> = words.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    if words.iter().any(|word| !["config", "device"].contains(word)) {
        return Err(Refused::bad("the types are config and device"));
    }
    let has = |word| words.is_empty() || words.contains(&word);
    Ok((has("config"), has("device")))
}

impl Wanted {
    async fn next(&mut self) -> Option<String> {
        loop {
            match self.news.recv().await {
                Ok(News { kind: "config", text }) if self.config => return Some(text),
                Ok(News { kind: "device", text }) if self.device => return Some(text),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Sends events until one of the two goes away, or the instance may ask nothing any more.
async fn pass_on(mut wanted: Wanted, mut websocket: WebSocket, mut open: watch::Receiver<()>) {
    let passing = async {
        loop {
            tokio::select! {
                text = wanted.next() => {
                    let Some(text) = text else { return };
                    if websocket.send(Message::Text(text.into())).await.is_err() {
                        return;
                    }
                }
                // What a guest says here means nothing, but pings are answered by reading.
                heard = websocket.recv() => match heard {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
            }
        }
    };
    tokio::select! {
        () = passing => {}
        () = closed(&mut open) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::kinds;

    #[test]
    fn a_guest_says_what_it_wants_to_hear_of() {
        assert_eq!(kinds("").ok(), Some((true, true)));
        assert_eq!(kinds("type=device").ok(), Some((false, true)));
        assert_eq!(kinds("type=config%2Cdevice").ok(), Some((true, true)));
        assert!(kinds("type=rumours").is_err());
    }
}
