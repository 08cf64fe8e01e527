//! What clients notice about the JSON.

use serde_json::{Value, json};

use super::*;

#[test]
fn null_and_absent_mean_default() {
    let text = r#"{"name":"web","config":null,"devices":null,"profiles":null,"type":"","source":{"type":"image"},"new":1}"#;
    let post: InstancesPost = serde_json::from_str(text).unwrap();
    assert_eq!(post.name, "web");
    assert_eq!(post.r#type, InstanceType::Container);
    assert_eq!(post.profiles, None);
    assert!(post.config.is_empty());
}

#[test]
fn an_empty_list_of_profiles_is_not_absent() {
    let post: InstancesPost = serde_json::from_value(json!({ "profiles": [] })).unwrap();
    assert_eq!(post.profiles, Some(Vec::new()));
}

#[test]
fn never_is_gos_zero_time() {
    assert_eq!(json!(Timestamp::NEVER), json!("0001-01-01T00:00:00Z"));
    let image: Image =
        serde_json::from_value(json!({ "expires_at": "0001-01-01T00:00:00Z" })).unwrap();
    assert!(image.expires_at.is_never());
}

#[test]
fn moments_keep_nanoseconds_and_accept_offsets() {
    let moment: Timestamp =
        serde_json::from_value(json!("2021-03-23T17:38:37.753398689-04:00")).unwrap();
    assert_eq!(json!(moment), json!("2021-03-23T21:38:37.753398689Z"));
}

#[test]
fn a_full_instance_is_flat() {
    let full = InstanceFull::from(Instance { name: "web".into(), ..Instance::default() });
    let value = json!(full);
    assert_eq!(value["name"], "web");
    assert_eq!(value.get("state"), None);
    let back: InstanceFull = serde_json::from_value(value).unwrap();
    assert_eq!(back, full);
}

#[test]
fn lists_tell_addresses_from_things() {
    let urls: Listing<Profile> = serde_json::from_value(json!(["/1.0/profiles/default"])).unwrap();
    assert_eq!(urls, Listing::Urls(vec!["/1.0/profiles/default".into()]));
    let full: Listing<Profile> = serde_json::from_value(json!([{ "name": "default" }])).unwrap();
    assert_eq!(full.into_full()[0].name, "default");
}

#[test]
fn a_wrong_field_in_a_list_is_named() {
    let error = serde_json::from_str::<Listing<Profile>>(r#"[{"name": 5}]"#).unwrap_err();
    assert!(error.to_string().contains("invalid type: integer `5`, expected a string"), "{error}");
}

#[test]
fn a_patch_merges_maps_and_replaces_the_rest() {
    let current: ProfilePut = serde_json::from_value(json!({
        "config": { "a": "1", "b": "2" }, "description": "old",
        "devices": { "eth0": { "type": "nic", "name": "eth0" } },
    }))
    .unwrap();
    let patch: Patch<ProfilePut> = serde_json::from_value(json!({
        "config": { "b": "3" }, "devices": { "eth0": { "type": "none" } },
    }))
    .unwrap();
    let merged = patch.apply(&current).unwrap();
    assert_eq!(json!(merged.config), json!({ "a": "1", "b": "3" }));
    assert_eq!(json!(merged.devices), json!({ "eth0": { "type": "none" } }));
    assert_eq!(merged.description, "old");
}

#[test]
fn the_envelope_has_every_field() {
    let value = json!(Response::<Value>::error(404, "not found"));
    let want = json!({
        "type": "error", "status": "", "status_code": 0, "operation": "",
        "error_code": 404, "error": "not found", "metadata": null,
    });
    assert_eq!(value, want);
    assert_eq!(json!(Response::sync(Empty {}))["metadata"], json!({}));
}

#[test]
fn an_accepted_request_names_its_operation() {
    let reply = Response::accepted(Operation { id: "abc".into(), ..Operation::default() });
    assert_eq!(reply.operation, "/1.0/operations/abc");
    assert_eq!(json!(reply)["status_code"], 100);
}

#[test]
fn kinds_on_the_wire() {
    assert_eq!(json!(InstanceType::VirtualMachine), json!("virtual-machine"));
    assert_eq!(InstanceType::VirtualMachine.as_str(), "virtual-machine");
    let event: Event = serde_json::from_value(json!({ "type": "ovn", "metadata": null })).unwrap();
    assert_eq!(event.r#type, EventKind::Other);
}

#[test]
fn a_state_change_must_say_what() {
    assert!(serde_json::from_value::<InstanceStatePut>(json!({ "force": true })).is_err());
    let put: InstanceStatePut =
        serde_json::from_value(json!({ "action": "stop", "timeout": -1 })).unwrap();
    assert_eq!((put.action, put.timeout), (StateAction::Stop, -1));
}

#[test]
fn control_messages_of_exec() {
    let want = json!({ "command": "window-resize", "args": { "width": "80", "height": "24" } });
    assert_eq!(json!(ExecControl::resize(80, 24)), want);
    assert_eq!(json!(ExecControl::signal(2)), json!({ "command": "signal", "signal": 2 }));
}

#[test]
fn paths_are_filled_and_escaped() {
    use endpoints::{images::ImageAliasGet, volumes::StorageVolumeGet};
    assert_eq!(endpoints::path::<ImageAliasGet>(&["debian/12"]), "/1.0/images/aliases/debian%2F12");
    let path = endpoints::path::<StorageVolumeGet>(&["default", "custom", "a b"]);
    assert_eq!(path, "/1.0/storage-pools/default/volumes/custom/a%20b");
}
