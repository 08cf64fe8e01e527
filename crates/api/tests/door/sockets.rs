//! Websockets: of events, of operations; and operations that are waited for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use client::Error;
use serde_json::json;
use tasks::{Message, Operation, Request, Socket};
use wire::EventKind;

use super::{Door, until};

#[tokio::test]
async fn a_client_hears_what_it_wants_to_hear_of() {
    let Some(door) = Door::open().await else { return };
    door.make_project("lab").await;
    let mut lab = door.client.events(&[EventKind::Lifecycle], Some("lab")).await.unwrap();
    let mut all = door.client.events(&[], None).await.unwrap();
    door.make_profile("here", "default").await;
    door.make_profile("there", "lab").await;
    let first = all.next().await.unwrap().unwrap();
    assert_eq!(first.metadata["source"], "/1.0/profiles/here");
    assert_eq!(first.metadata["requestor"]["protocol"], "unix");
    let own = lab.next().await.unwrap().unwrap();
    assert_eq!((own.r#type, own.project.as_str()), (EventKind::Lifecycle, "lab"));
    assert_eq!(own.metadata["action"], "profile-created");
    assert_eq!(own.metadata["source"], "/1.0/profiles/there?project=lab");
    let refused = door.client.websocket("/1.0/events?type=rumours").await.unwrap_err();
    assert_eq!(refused.code(), Some(400), "{refused}");
}

/// An operation that sends back what it gets, then says goodbye; and the secret of its websocket.
fn echo(door: &Door) -> (Operation, String) {
    let work = async |operation: Operation| {
        let seat = operation.seat();
        operation.set_metadata("secret", seat.secret.clone());
        let Ok(Socket { mut incoming, outgoing }) = seat.arrived.await else { return Ok(()) };
        while let Some(message) = incoming.recv().await {
            if message == Message::Close {
                break;
            }
            let _ = outgoing.send(message).await;
        }
        let _ = outgoing.send(Message::Binary(Bytes::from("bye"))).await;
        Ok::<_, tasks::Error>(())
    };
    let operation = door.world.operations.spawn(Request::new("Echoing"), work).unwrap();
    let secret = operation.metadata("secret").unwrap().as_str().unwrap().to_owned();
    (operation, secret)
}

#[tokio::test]
async fn a_stream_of_an_operation_comes_whole_and_is_closed() {
    let Some(door) = Door::open().await else { return };
    let (operation, secret) = echo(&door);
    let target = format!("{}/websocket?secret={secret}", operation.url());
    let wrong = format!("{}/websocket?secret=guessed", operation.url());
    let refused = |error: Error| assert_eq!(error.code(), Some(403), "{error}");
    refused(door.client.websocket(&wrong).await.unwrap_err());
    let (mut receiver, mut sender) = door.client.websocket(&target).await.unwrap().split();
    refused(door.client.websocket(&target).await.unwrap_err());
    let large = Bytes::from(vec![7; 3 << 20]);
    sender.send(large.clone()).await.unwrap();
    assert_eq!(receiver.next().await.unwrap(), Some(large));
    sender.finish().await.unwrap();
    assert_eq!(receiver.next().await.unwrap(), Some(Bytes::from("bye")));
    assert_eq!(receiver.next().await.unwrap(), None, "closed in order");
    assert_eq!(operation.wait().await, tasks::Status::Success);
}

#[tokio::test]
async fn work_ends_when_its_client_goes() {
    let Some(door) = Door::open().await else { return };
    let (operation, secret) = echo(&door);
    let target = format!("{}/websocket?secret={secret}", operation.url());
    drop(door.client.websocket(&target).await.unwrap());
    until("the work ends", || operation.status().is_final()).await;
}

#[tokio::test]
async fn an_operation_is_listed_waited_for_and_cancelled() {
    let Some(door) = Door::open().await else { return };
    assert_eq!(door.get("/1.0/operations").await, json!({}));
    let work = async |operation: Operation| {
        operation.cancelled().await;
        Err(tasks::Cancelled)
    };
    let operation = door.world.operations.spawn(Request::new("Waiting"), work).unwrap();
    let url = operation.url();
    assert_eq!(door.get("/1.0/operations").await, json!({ "running": [url] }));
    let full = door.get("/1.0/operations?recursion=1").await;
    assert_eq!(full["running"][0]["description"], "Waiting");
    let begun = Instant::now();
    let waited = door.get(&format!("{url}/wait?timeout=1")).await;
    assert_eq!(waited["status"], "Running");
    assert!((1..5).contains(&begun.elapsed().as_secs()));
    let forever = tokio::spawn({
        let client = client::Client::new(door.client.socket_path().unwrap());
        let target = format!("{url}/wait?timeout=-1");
        async move { client.raw("GET", &target, None).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    door.done("DELETE", &url, None).await;
    let (status, ended) = forever.await.unwrap();
    let ended: serde_json::Value = serde_json::from_slice(&ended).unwrap();
    assert_eq!((status, &ended["metadata"]["status"]), (200, &json!("Cancelled")));
    let (status, _) = door.ask("DELETE", &url, None).await;
    assert_eq!(status, 400, "it has ended");
}
