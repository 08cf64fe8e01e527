//! What is refused, and how.

use serde_json::{Value, json};
use wire::{
    Patch, ProfilePut,
    endpoints::profiles::{ProfileGet, ProfilePatch, ProfileReplace},
    query::ProjectQuery,
};

use super::Door;

#[tokio::test]
async fn every_refusal_is_an_envelope_with_the_fitting_status() {
    let Some(door) = Door::open().await else { return };
    let nobody = "00000000-0000-0000-0000-000000000000";
    let remote = json!({ "source": { "type": "image", "server": "https://x", "alias": "y" } });
    for (method, target, body, want) in [
        ("GET", "/nowhere", None, 404),
        ("GET", "/1.0/instances/none", None, 404),
        ("GET", "/1.0/operations/none", None, 404),
        ("GET", &format!("/1.0/operations/{nobody}/wait"), None, 404),
        ("GET", &format!("/1.0/operations/{nobody}/websocket?secret=x"), None, 404),
        ("GET", "/1.0/profiles?project=none", None, 404),
        ("PUT", "/", None, 405),
        ("GET", "/1.0/instances/%ff", None, 400),
        ("GET", "/1.0/profiles?recursion=much", None, 400),
        ("GET", "/1.0/profiles?filter=name", None, 400),
        ("GET", "/1.0/events", None, 400),
        ("GET", "/1.0/storage-pools/none/volumes/shoes", None, 400),
        ("POST", "/1.0/profiles", Some(json!("text")), 400),
        ("PUT", "/1.0/instances", Some(json!({})), 400),
        ("POST", "/1.0/images", Some(json!({})), 400),
        ("POST", "/1.0/profiles", Some(json!({ "name": "default" })), 409),
        ("DELETE", "/1.0/projects/default", None, 403),
        ("POST", "/1.0/images", Some(remote), 400),
        ("POST", "/1.0/networks/none", Some(json!({ "name": "some" })), 404),
        ("POST", "/1.0/profiles", Some(json!({ "description": "x".repeat(5 << 20) })), 413),
    ] {
        let (status, reply) = door.ask(method, target, body).await;
        assert_eq!(status, want, "{method} {target}: {reply}");
        assert_eq!(reply["type"], "error", "{method} {target}");
        assert_eq!(reply["error_code"], want, "{method} {target}");
        assert!(reply["error"].as_str().is_some_and(|words| !words.is_empty()), "{target}");
        assert_eq!(reply["metadata"], Value::Null, "{method} {target}");
    }
}

#[tokio::test]
async fn a_change_of_what_the_client_has_not_seen_is_refused() {
    let Some(door) = Door::open().await else { return };
    door.make_profile("big", "default").await;
    let seen = door.client.request::<ProfileGet>(&["big"]).send().await.unwrap().etag;
    assert!(seen.is_some());
    let fields = json!({ "description": "mine" }).as_object().unwrap().clone();
    let patch = || door.client.request::<ProfilePatch>(&["big"]).body(&Patch::new(fields.clone()));
    patch().unwrap().if_match(seen.clone()).send().await.unwrap();
    let late = patch().unwrap().if_match(seen.clone()).send().await.unwrap_err();
    assert_eq!(late.code(), Some(412), "{late}");
    let put = door.client.request::<ProfileReplace>(&["big"]).body(&ProfilePut::default());
    let late = put.unwrap().if_match(seen).send().await.unwrap_err();
    assert_eq!(late.code(), Some(412), "{late}");
    let shown = door.client.get::<ProfileGet>(&["big"], &ProjectQuery::default()).await.unwrap();
    assert_eq!(shown.description, "mine");
}

#[tokio::test]
async fn a_body_where_there_is_nothing_to_say_means_nothing() {
    let Some(door) = Door::open().await else { return };
    // The stock client's `query` sends an empty JSON string.
    assert_eq!(door.done("GET", "/", Some(json!(""))).await, json!(["/1.0"]));
    door.make_profile("gone", "default").await;
    door.done("DELETE", "/1.0/profiles/gone", Some(json!(""))).await;
}
