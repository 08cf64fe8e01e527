use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::toy;
use crate::operation::{Message, Socket};
use crate::{
    Bus, Cancelled, Error, Filter, Item, Locks, Operations, Progress, Reconciler, Reconcilers,
    Report, Request, Status, Topic,
};

#[tokio::test]
async fn an_operation_renders_as_clients_expect() {
    let operations = toy::operations();
    let request = Request::new("Executing command")
        .project("blue")
        .class(wire::OperationClass::Websocket)
        .resource("instances", "/1.0/instances/web");
    let operation = operations
        .spawn(request, async |operation: crate::Operation| {
            operation.set_metadata("return", 3);
            Ok::<(), Cancelled>(())
        })
        .unwrap();
    assert_eq!(operation.wait().await, Status::Success);
    let json = serde_json::to_value(operation.render()).unwrap();
    assert_eq!(json["id"], operation.id().to_string());
    assert_eq!(json["class"], "websocket");
    assert_eq!(json["status"], "Success");
    assert_eq!(json["status_code"], 200);
    assert_eq!(json["resources"]["instances"][0], "/1.0/instances/web");
    assert_eq!(json["metadata"]["return"], 3);
    assert_eq!(json["may_cancel"], false);
    assert_eq!(json["location"], "none");
    assert_eq!(operations.list(Some("blue")).len(), 1);
    assert!(operations.list(Some("default")).is_empty());
}

#[tokio::test]
async fn every_change_goes_to_the_bus_in_order() {
    let operations = toy::operations();
    let mut reader = operations.bus().subscribe(Filter::all());
    let operation = operations
        .spawn(Request::new("Downloading"), async |operation: crate::Operation| {
            operation.control().report(Progress::percent("download", 42));
            Ok::<(), Cancelled>(())
        })
        .unwrap();
    operation.wait().await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let Some(Item::Event(event)) = reader.next().await else { panic!("no event") };
        let progress = event.metadata["metadata"]["download_progress"].as_str().unwrap_or("");
        seen.push(format!("{} {progress}", event.metadata["status"].as_str().unwrap()));
    }
    assert_eq!(seen, ["Pending ", "Running ", "Running download: 42%", "Success "]);
}

#[tokio::test]
async fn an_ended_operation_is_forgotten_after_a_while() {
    let keep = Duration::from_millis(200);
    let operations = Operations::new(Bus::new("none"), Locks::new()).keep(keep);
    let operation =
        operations.spawn(Request::new("Nothing"), async |_| Ok::<(), Cancelled>(())).unwrap();
    operation.wait().await;
    assert!(operations.get(operation.id()).is_ok());
    tokio::time::sleep(3 * keep).await;
    assert!(matches!(operations.get(operation.id()), Err(Error::NoOperation(_))));
    assert_eq!(operation.status(), Status::Success);
}

#[tokio::test]
async fn a_token_is_spent_once() {
    let operations = toy::operations();
    let token = operations.token(Request::new("Joining")).unwrap();
    assert_eq!(token.status(), Status::Running);
    assert!(token.spend());
    assert!(!token.spend());
    assert_eq!(token.wait().await, Status::Cancelled);
}

#[tokio::test]
async fn what_cannot_be_cancelled_is_not() {
    let operations = toy::operations();
    let request = Request::new("Working").uncancellable();
    let work = async |_| {
        tokio::task::yield_now().await;
        Ok::<(), Cancelled>(())
    };
    let operation = operations.spawn(request, work).unwrap();
    assert!(matches!(operation.cancel(), Err(Error::NotCancellable(_))));
    assert_eq!(operation.wait().await, Status::Success);
}

/// Says what it is told.
async fn answer(mut socket: Socket) {
    let message = socket.incoming.recv().await.unwrap();
    socket.outgoing.send(message).await.unwrap();
}

#[tokio::test]
async fn a_seat_is_claimed_once_and_carries_messages_both_ways() {
    let operations = toy::operations();
    let request = Request::new("Executing").class(wire::OperationClass::Websocket);
    let operation = operations
        .spawn(request, async |operation: crate::Operation| {
            let expected = operation.seat();
            operation.set_metadata("secret", expected.secret);
            answer(expected.arrived.await.unwrap()).await;
            Ok::<(), Cancelled>(())
        })
        .unwrap();
    // The answer to the request has it, though nobody yielded to the work.
    let secret = operation.metadata("secret").unwrap();
    let secret = secret.as_str().unwrap();
    assert!(matches!(operation.claim("guess"), Err(Error::BadSecret(_))));
    let (mut client, server) = Socket::pair();
    assert!(operation.claim(secret).unwrap().fill(server));
    assert!(matches!(operation.claim(secret), Err(Error::BadSecret(_))));
    client.outgoing.send(Message::Text("hello".to_owned())).await.unwrap();
    assert_eq!(client.incoming.recv().await, Some(Message::Text("hello".to_owned())));
    assert_eq!(client.incoming.recv().await, None);
    assert_eq!(operation.wait().await, Status::Success);
}

/// As of a client that steers a program which is over before it is there.
#[tokio::test]
async fn who_comes_too_late_for_what_nobody_waits_for_is_no_stranger() {
    let operations = toy::operations();
    let request = Request::new("Executing").class(wire::OperationClass::Websocket);
    let operation = operations
        .spawn(request, async |operation: crate::Operation| {
            operation.set_metadata("needed", operation.seat().secret);
            operation.set_metadata("optional", operation.optional_seat().secret);
            Ok::<(), Cancelled>(())
        })
        .unwrap();
    assert_eq!(operation.wait().await, Status::Success);
    let secret = |key| operation.metadata(key).unwrap().as_str().unwrap().to_owned();
    assert!(matches!(operation.claim(&secret("needed")), Err(Error::BadSecret(_))));
    let (mut client, server) = Socket::pair();
    assert!(!operation.claim(&secret("optional")).unwrap().fill(server), "nobody is there");
    assert_eq!(client.incoming.recv().await, None, "it is closed");
    assert!(matches!(operation.claim(&secret("optional")), Err(Error::BadSecret(_))), "once");
}

#[tokio::test]
async fn a_door_lets_in_as_many_as_come_until_the_work_ends() {
    let operations = toy::operations();
    let request = Request::new("Showing").class(wire::OperationClass::Websocket);
    let operation = operations
        .spawn(request, async |operation: crate::Operation| {
            let mut door = operation.door();
            operation.set_metadata("secret", door.secret);
            for _ in 0..2 {
                answer(door.arrivals.recv().await.unwrap()).await;
            }
            Ok::<(), Cancelled>(())
        })
        .unwrap();
    let secret = operation.metadata("secret").unwrap();
    let secret = secret.as_str().unwrap();
    for word in ["one", "two"] {
        let (mut client, server) = Socket::pair();
        assert!(operation.claim(secret).unwrap().fill(server));
        client.outgoing.send(Message::Text(word.to_owned())).await.unwrap();
        assert_eq!(client.incoming.recv().await, Some(Message::Text(word.to_owned())));
    }
    assert_eq!(operation.wait().await, Status::Success);
    assert!(matches!(operation.claim(secret), Err(Error::BadSecret(_))));
}

/// Counts its activations; the second one fails.
struct Counter(Arc<AtomicUsize>, Duration);

#[async_trait]
impl Reconciler<()> for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn topics(&self) -> &'static [Topic] {
        &["instances"]
    }

    fn period(&self) -> Duration {
        self.1
    }

    async fn activate(&mut self, _: &Arc<()>) -> Report {
        let mut report = Report::default();
        let failing = self.0.fetch_add(1, Ordering::SeqCst) == 1;
        report.note(if failing { Err(Cancelled) } else { Ok(()) });
        report
    }
}

/// Waits until the counter stands there; fails if it does not get there in time.
async fn until(count: &AtomicUsize, wanted: usize) {
    let reached = async {
        while count.load(Ordering::SeqCst) != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
    assert!(waited.is_ok(), "{} runs, not {wanted}", count.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_reconciler_runs_at_start_when_woken_and_soon_after_an_error() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut reconcilers = Reconcilers::new(Arc::new(()));
    reconcilers.start(Counter(count.clone(), Duration::from_secs(3600)));
    until(&count, 1).await;
    reconcilers.wake("networks");
    tokio::time::sleep(Duration::from_millis(50)).await;
    until(&count, 1).await;
    reconcilers.wake("instances");
    until(&count, 2).await;
    assert_eq!(reconcilers.health()[0].errors, ["cancelled"]);
    until(&count, 3).await;
    assert_eq!(reconcilers.health()[0].failing, 0);
    reconcilers.settle().await;
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_reconciler_runs_by_its_period() {
    let count = Arc::new(AtomicUsize::new(10));
    let mut reconcilers = Reconcilers::new(Arc::new(()));
    reconcilers.start(Counter(count.clone(), Duration::from_millis(50)));
    until(&count, 14).await;
}
