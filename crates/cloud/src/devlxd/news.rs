//! What a guest is told of changes: the keys it sees, and its devices.

use options::{Raw, device::Devices};
use serde_json::{Value, json};
use wire::Timestamp;

use super::{News, verbs::visible};
use crate::{World, expand::Expanded};

/// Tells a guest that runs what is different now.
pub(crate) fn changed(
    world: &World,
    (project, name): (&str, &str),
    (before, after): (&Expanded, &Expanded),
) {
    let Some(guest) = world.guests.get(project, name) else { return };
    let news = of_config(&before.config, &after.config)
        .map(|metadata| news("config", metadata))
        .chain(of_devices(&before.devices, &after.devices).map(|it| news("device", it)));
    guest.devlxd().tell(news);
}

fn news(kind: &'static str, metadata: Value) -> News {
    let event =
        json!({ "timestamp": Timestamp::from(clock::utc()), "type": kind, "metadata": metadata });
    News { kind, text: event.to_string() }
}

fn of_config<'a>(before: &'a Raw, after: &'a Raw) -> impl Iterator<Item = Value> {
    let keys: std::collections::BTreeSet<&str> = before.keys().chain(after.keys()).collect();
    let keys = keys.into_iter().filter(|key| visible(key) && before.get(key) != after.get(key));
    keys.map(|key| {
        let value = |config: &Raw| config.get(key).unwrap_or_default().to_owned();
        json!({ "key": key, "old_value": value(before), "value": value(after) })
    })
}

fn of_devices<'a>(before: &'a Devices, after: &'a Devices) -> impl Iterator<Item = Value> {
    let names: std::collections::BTreeSet<&String> =
        before.0.keys().chain(after.0.keys()).collect();
    names.into_iter().filter_map(|name| {
        let (action, config) = match (before.0.get(name), after.0.get(name)) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(_), Some(new)) => ("updated", new),
            (None, Some(new)) => ("added", new),
            (Some(old), None) => ("removed", old),
            (None, None) => return None,
        };
        Some(json!({ "action": action, "name": name, "config": config.0 }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_told_of_its_own_keys_and_of_its_devices_alone() {
        let before = Raw::from([("user.a", "1"), ("user.gone", "x"), ("limits.cpu", "1")]);
        let after = Raw::from([("user.a", "2"), ("user.new", "y"), ("limits.cpu", "2")]);
        let told: Vec<Value> = of_config(&before, &after).collect();
        assert_eq!(
            told,
            [
                json!({"key": "user.a", "old_value": "1", "value": "2"}),
                json!({"key": "user.gone", "old_value": "x", "value": ""}),
                json!({"key": "user.new", "old_value": "", "value": "y"}),
            ]
        );
        let mut devices = Devices::default();
        devices.0.insert(String::from("d"), Raw::from([("type", "disk")]));
        let told: Vec<Value> = of_devices(&Devices::default(), &devices).collect();
        assert_eq!(told, [json!({"action": "added", "name": "d", "config": {"type": "disk"}})]);
        assert_eq!(of_devices(&devices, &devices).count(), 0);
    }
}
