//! Partial changes: what PATCH carries.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Some fields of a `T`. Fields that are absent keep their value; maps (`config`, `devices`, `properties`)
/// are merged key by key, anything else is replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patch<T> {
    fields: Map<String, Value>,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Patch<T> {
    /// A patch of these fields.
    pub fn new(fields: Map<String, Value>) -> Self {
        Self { fields, of: PhantomData }
    }

    /// What `current` becomes under this patch.
    ///
    /// # Errors
    /// When a field of the patch has the wrong type.
    pub fn apply(&self, current: &T) -> serde_json::Result<T> {
        let mut merged = serde_json::to_value(current)?;
        if let Value::Object(target) = &mut merged {
            merge(target, &self.fields);
        }
        serde_json::from_value(merged)
    }
}

/// Merges the top level and the maps one level below it: a device that is given replaces the whole device.
fn merge(target: &mut Map<String, Value>, fields: &Map<String, Value>) {
    for (name, value) in fields {
        match (target.get_mut(name), value) {
            (_, Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
            _ => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
