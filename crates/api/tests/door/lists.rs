//! Lists, and what one may ask of them.

use serde_json::{Value, json};

use super::Door;

#[tokio::test]
async fn a_list_is_addresses_or_the_things_themselves() {
    let Some(door) = Door::open().await else { return };
    door.make_project("lab").await;
    door.make_profile("a b", "lab").await;
    let urls = door.get("/1.0/profiles?project=lab").await;
    let want = json!(["/1.0/profiles/a%20b?project=lab", "/1.0/profiles/default?project=lab"]);
    assert_eq!(sorted(urls), want);
    let things = door.get("/1.0/profiles?project=lab&recursion=1").await;
    assert_eq!(names(&things), ["a b", "default"]);
    let address = urls_of(&door, "lab").await.remove(0);
    assert_eq!(door.get(&address).await["name"], "a b", "an address can be asked for");
    let all = door.get("/1.0/profiles?all-projects=true").await;
    assert_eq!(all.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_filter_chooses() {
    let Some(door) = Door::open().await else { return };
    for name in ["one", "two"] {
        door.make_profile(name, "default").await;
    }
    let some = door.get("/1.0/profiles?recursion=1&filter=name+ne+one").await;
    assert_eq!(names(&some), ["default", "two"]);
    let urls = door.get("/1.0/profiles?filter=name+eq+two+or+name+eq+none").await;
    assert_eq!(urls, json!(["/1.0/profiles/two"]));
}

#[tokio::test]
async fn the_server_tells_what_it_is() {
    let Some(door) = Door::open().await else { return };
    let server = door.get("/1.0").await;
    assert_eq!(server["auth"], "trusted");
    assert_eq!(server["environment"]["server_name"], door.world.me());
    door.done("PATCH", "/1.0", Some(json!({ "config": { "user.colour": "blue" } }))).await;
    assert_eq!(door.get("/1.0").await["config"]["user.colour"], "blue");
    assert!(door.get("/1.0/resources").await["memory"]["total"].as_u64() > Some(0));
    let described = door.get("/1.0/metadata/configuration").await;
    assert!(described["configs"]["instance"].is_object());
}

async fn urls_of(door: &Door, project: &str) -> Vec<String> {
    let urls = sorted(door.get(&format!("/1.0/profiles?project={project}")).await);
    serde_json::from_value(urls).unwrap()
}

fn sorted(list: Value) -> Value {
    let mut words: Vec<String> = serde_json::from_value(list).unwrap();
    words.sort();
    json!(words)
}

fn names(things: &Value) -> Vec<&str> {
    let things = things.as_array().unwrap();
    let mut names: Vec<_> = things.iter().map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}
