//! The tables in the shape of `GET /1.0/metadata/configuration`.

use serde_json::{Map, Value, json};

use crate::{Apply, Opt, Scope, Table, tables::TABLES};

/// All declared options: `{"configs": {entity: {group: {"keys": [{key: {..}}]}}}}`.
pub fn metadata() -> Value {
    let mut configs = Map::new();
    for table in TABLES {
        add(&mut configs, table);
    }
    json!({ "configs": configs })
}

fn add(configs: &mut Map<String, Value>, table: &Table) {
    let entity = &mut configs.entry(table.entity).or_insert_with(|| json!({}));
    let options = table.own();
    let scoped = options.iter().any(|opt| opt.scope == Scope::Local);
    for opt in options {
        let group = &mut entity[opt.group];
        if group.is_null() {
            *group = json!({ "keys": [] });
        }
        if let Some(keys) = group["keys"].as_array_mut() {
            keys.push(json!({ opt.key: describe(opt, scoped) }));
        }
    }
}

/// `scoped`: the entity has options of both scopes, so that it is worth saying which.
fn describe(opt: &Opt, scoped: bool) -> Value {
    let mut facts = Map::new();
    let mut fact = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            facts.insert(name.to_owned(), value.into());
        }
    };
    fact("type", Some(opt.kind.lxd_type()));
    fact("shortdesc", Some(opt.short));
    fact("longdesc", Some(opt.long));
    fact("condition", opt.condition);
    fact("defaultdesc", opt.default_text.or(opt.default));
    fact("initialvaluedesc", opt.initial);
    fact("liveupdate", Some(if opt.apply == Apply::Live { "yes" } else { "no" }));
    let scope = if opt.scope == Scope::Local { "local" } else { "global" };
    fact("scope", scoped.then_some(scope));
    Value::Object(facts)
}
