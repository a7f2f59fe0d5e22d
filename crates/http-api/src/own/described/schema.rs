//! JSON Schema, in few words.

use serde_json::{Map, Value, json};

/// What makes a schema.
pub(super) type Of = fn() -> Value;

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A UUID.
pub(super) fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

pub(super) fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn number_from(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

pub(super) fn one_of(names: &[&str]) -> Value {
    json!({ "type": "string", "enum": names })
}

pub(super) fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// The body of an answer that is no JSON.
pub(super) fn octets() -> Value {
    json!({ "type": "string", "contentMediaType": "application/octet-stream" })
}

/// That, or null.
pub(super) fn nullable(mut schema: Value) -> Value {
    match schema["type"].as_str().map(str::to_owned) {
        Some(only) => {
            schema["type"] = json!([only, "null"]);
            if let Some(names) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                names.push(Value::Null);
            }
            schema
        }
        None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// An object with all of these, and no doubt more in time.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    with_required(fields, &required)
}

/// An object of which these are always there.
pub(super) fn with_required(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// The body of a request: what it does not know it refuses.
pub(super) fn body(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let mut schema = with_required(fields, required);
    schema["additionalProperties"] = false.into();
    schema
}

/// A schema of the document by its name.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
