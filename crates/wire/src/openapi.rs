//! The OpenAPI 3.1 document, made of the list of endpoints.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::endpoints::{ENDPOINTS, Info, Kind, Permission};

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let operation = operation(endpoint, &mut generator);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "MicroCloud",
            "description": "The REST API, compatible with LXD 5.21.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "version": "1.0",
        },
        "paths": paths,
        "components": { "schemas": definitions(&mut generator) },
    })
}

/// The types, without the defaults of their fields: every field has one, so they only make noise.
fn definitions(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut definitions = generator.take_definitions(true);
    let types =
        definitions.values_mut().filter_map(|schema| schema.get_mut("properties")?.as_object_mut());
    for property in types.flat_map(|properties| properties.values_mut()) {
        if let Some(property) = property.as_object_mut() {
            property.remove("default");
        }
    }
    definitions
}

fn operation(endpoint: &Info, generator: &mut SchemaGenerator) -> Value {
    let mut parameters = path_parameters(endpoint.path);
    parameters.extend(query_parameters(endpoint, generator));
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": endpoint.about,
        "tags": [tag(endpoint.path)],
        "parameters": parameters,
        "responses": responses(endpoint, generator),
        "x-needs": needs(endpoint.needs),
    });
    if !endpoint.since.is_empty() {
        operation["x-api-extension"] = endpoint.since.into();
    }
    if let Some(body) = body(endpoint, generator) {
        operation["requestBody"] = body;
    }
    operation
}

/// First word of the path after the version.
fn tag(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or("server")
}

fn needs(permission: Permission) -> String {
    match permission {
        Permission::Untrusted => "untrusted".into(),
        Permission::Authenticated => "authenticated".into(),
        Permission::Can(verb, entity) => format!("{verb:?} {entity:?}").to_lowercase(),
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect()
}

fn query_parameters(endpoint: &Info, generator: &mut SchemaGenerator) -> Vec<Value> {
    let reference = (endpoint.query)(generator);
    let name =
        reference.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let schema = name.and_then(|name| generator.definitions_mut().remove(name));
    let properties = schema.as_ref().and_then(|schema| schema.get("properties")?.as_object());
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        if let Some(Value::Array(kinds)) = schema.get("type") {
            schema["type"] = kinds[0].clone(); // absent or a string: a query knows no null
        }
        json!({ "name": name, "in": "query", "description": about, "schema": schema })
    };
    properties.into_iter().flatten().map(parameter).collect()
}

fn body(endpoint: &Info, generator: &mut SchemaGenerator) -> Option<Value> {
    let schema = (endpoint.body)(generator);
    if is_empty(&schema) {
        return None;
    }
    let mut content = json!({ "application/json": { "schema": schema } });
    if endpoint.upload {
        content["application/octet-stream"] = json!({});
        content["multipart/form-data"] = json!({});
    }
    Some(json!({ "required": true, "content": content }))
}

fn is_empty(schema: &schemars::Schema) -> bool {
    schema.get("$ref").and_then(Value::as_str).is_some_and(|path| path.ends_with("/Empty"))
}

fn responses(endpoint: &Info, generator: &mut SchemaGenerator) -> Value {
    let failed = json!({
        "description": "Refused or failed",
        "content": { "application/json": { "schema": envelope("error", None) } },
    });
    let (code, done) = match endpoint.kind {
        Kind::Sync => ("200", enveloped("Done", "sync", endpoint, generator)),
        Kind::Async => ("202", enveloped("Begun", "async", endpoint, generator)),
        Kind::Raw => (
            "200",
            json!({ "description": "The file", "content": { "application/octet-stream": {} } }),
        ),
        Kind::Websocket => ("101", json!({ "description": "Becomes a websocket" })),
    };
    json!({ code: done, "default": failed })
}

fn enveloped(about: &str, kind: &str, endpoint: &Info, generator: &mut SchemaGenerator) -> Value {
    let schema = envelope(kind, Some((endpoint.reply)(generator).to_value()));
    json!({ "description": about, "content": { "application/json": { "schema": schema } } })
}

fn envelope(kind: &str, metadata: Option<Value>) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "type": { "const": kind },
            "status": { "type": "string" },
            "status_code": { "type": "integer" },
            "operation": { "type": "string" },
            "error_code": { "type": "integer" },
            "error": { "type": "string" },
        },
    });
    if let Some(metadata) = metadata {
        schema["properties"]["metadata"] = metadata;
    }
    schema
}
