//! The event bus: who publishes never waits, who reads slowly is told what it missed.
//!
//! Events have the API's own shape (`wire::Event`), so those of another member are passed on as they
//! came. All subscribers share one ring of the newest events; one that falls behind by more than the
//! ring gets a `Gap` instead of the events it lost.

use std::sync::{Arc, PoisonError, RwLock};

use futures_util::Stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast::{self, error::RecvError};
use wire::{Event, EventKind, EventLifecycle, EventLogging, Timestamp};

/// Events the ring holds. An event is about a kilobyte.
const RING: usize = 1024;

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    sender: broadcast::Sender<Arc<Event>>,
    location: Arc<RwLock<Arc<str>>>,
}

/// What a subscriber wants to see.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Kinds of events; all when empty.
    pub kinds: Vec<EventKind>,
    /// Only this project's, and those of no project; all when absent.
    pub project: Option<String>,
}

/// What a subscriber gets.
#[derive(Clone, Debug)]
pub enum Item {
    /// An event.
    Event(Arc<Event>),
    /// At most so many events were lost because this reader was too slow.
    Gap(u64),
}

/// A reader of the bus.
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<Event>>,
    filter: Filter,
}

impl Bus {
    /// A bus of the member with this name ("none" when there is no cluster).
    pub fn new(location: &str) -> Bus {
        let location = Arc::new(RwLock::new(location.into()));
        Bus { sender: broadcast::Sender::new(RING), location }
    }

    /// The member's name.
    pub fn location(&self) -> Arc<str> {
        self.location.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The member has this name from now on.
    pub fn set_location(&self, name: &str) {
        *self.location.write().unwrap_or_else(PoisonError::into_inner) = name.into();
    }

    /// Sends an event as it is, for instance one of another member.
    pub fn publish(&self, event: Event) {
        // An error means that nobody listens.
        drop(self.sender.send(Arc::new(event)));
    }

    /// Tells that something came, went or changed.
    pub fn lifecycle(&self, project: &str, event: &EventLifecycle) {
        self.publish_as(EventKind::Lifecycle, project, event);
    }

    /// Tells how an operation stands.
    pub fn operation(&self, project: &str, operation: &wire::Operation) {
        self.publish_as(EventKind::Operation, project, operation);
    }

    /// Passes on a line of the log.
    pub fn logging(&self, line: &EventLogging) {
        self.publish_as(EventKind::Logging, "", line);
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Gets all events from now on that the filter lets through.
    pub fn subscribe(&self, filter: Filter) -> Subscription {
        Subscription { receiver: self.sender.subscribe(), filter }
    }

    fn publish_as(&self, kind: EventKind, project: &str, body: &impl Serialize) {
        if !self.is_heard() {
            return;
        }
        self.publish(Event {
            r#type: kind,
            timestamp: Timestamp::from(clock::utc()),
            // The API's types have string keys only and always turn into JSON.
            metadata: serde_json::to_value(body).unwrap_or(Value::Null),
            location: self.location().as_ref().to_owned(),
            project: project.to_owned(),
        });
    }
}

impl Filter {
    /// Everything.
    pub fn all() -> Filter {
        Filter::default()
    }

    fn lets(&self, event: &Event) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&event.r#type);
        let project = self.project.as_ref();
        kind && project.is_none_or(|p| event.project.is_empty() || *p == event.project)
    }
}

impl Subscription {
    /// The next event; `None` once the bus is gone.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            match self.receiver.recv().await {
                Ok(event) if self.filter.lets(&event) => return Some(Item::Event(event)),
                Ok(_) => {}
                Err(RecvError::Lagged(lost)) => return Some(Item::Gap(lost)),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Item> + Send {
        futures_util::stream::unfold(self, async |mut subscription| {
            let item = subscription.next().await?;
            Some((item, subscription))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(name: &str) -> EventLifecycle {
        EventLifecycle {
            action: "instance-started".to_owned(),
            source: format!("/1.0/instances/{name}"),
            ..EventLifecycle::default()
        }
    }

    #[tokio::test]
    async fn a_subscriber_sees_its_kind_and_project_in_the_form_of_the_api() {
        let bus = Bus::new("none");
        let filter =
            Filter { kinds: vec![EventKind::Lifecycle], project: Some("default".to_owned()) };
        let mut reader = bus.subscribe(filter);
        bus.lifecycle("other", &started("hidden"));
        bus.logging(&EventLogging::default());
        bus.lifecycle("default", &started("web"));
        let Some(Item::Event(event)) = reader.next().await else { panic!("no event") };
        let json = serde_json::to_value(&*event).unwrap();
        assert_eq!(json["type"], "lifecycle");
        assert_eq!(json["project"], "default");
        assert_eq!(json["location"], "none");
        assert_eq!(json["metadata"]["source"], "/1.0/instances/web");
    }

    #[tokio::test]
    async fn a_slow_reader_gets_a_gap_and_never_blocks_the_publisher() {
        let bus = Bus::new("none");
        let mut reader = bus.subscribe(Filter::all());
        for n in 0..RING + 5 {
            bus.lifecycle("default", &started(&n.to_string()));
        }
        assert!(matches!(reader.next().await, Some(Item::Gap(5))));
        let Some(Item::Event(event)) = reader.next().await else { panic!("no event") };
        assert_eq!(event.metadata["source"], "/1.0/instances/5");
    }

    #[tokio::test]
    async fn the_stream_ends_with_the_bus() {
        let bus = Bus::new("none");
        let mut reader = bus.subscribe(Filter::all());
        drop(bus);
        assert!(reader.next().await.is_none());
    }
}
