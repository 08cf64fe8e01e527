//! Events as they happen.

use wire::{
    Event, EventKind,
    endpoints::{self, server::EventsGet},
    query::EventsQuery,
};

use crate::{Client, Error, Receiver, Result, Sender};

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver,
    /// Kept, since dropping it would close the socket.
    _sender: Sender,
}

impl Client {
    /// Listens to events of these kinds; of all kinds when none is given. `project` is `None` for all projects.
    ///
    /// # Errors
    /// When the daemon cannot be reached, or refuses.
    pub async fn events(&self, kinds: &[EventKind], project: Option<&str>) -> Result<Events> {
        let words: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
        let query = EventsQuery {
            project: project.map(str::to_owned),
            all_projects: project.is_none(),
            kinds: (!words.is_empty()).then(|| words.join(",")),
        };
        let path = endpoints::path::<EventsGet>(&[]);
        let query = serde_urlencoded::to_string(query)
            .map_err(|source| Error::Query { path: path.clone(), source })?;
        let (receiver, sender) = self.websocket(&format!("{path}?{query}")).await?.split();
        Ok(Events { receiver, _sender: sender })
    }
}

impl Events {
    /// The next event; `None` when the daemon ends the stream.
    ///
    /// # Errors
    /// When the stream breaks, or an event cannot be understood.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        let Some(bytes) = self.receiver.next().await? else { return Ok(None) };
        let path = endpoints::path::<EventsGet>(&[]);
        let event = serde_json::from_slice(&bytes);
        event.map(Some).map_err(|source| Error::Decode { path, status: 101, source })
    }
}
