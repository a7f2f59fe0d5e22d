//! What tools take and answer, as JSON Schema: of the routes' own description, in camelCase.

use super::case::camel;
use super::tools::{Row, WAIT_PATH};
use crate::agentmail::document;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

type Object = Map<String, Value>;

/// Where the description of the routes keeps its schemas, and where a schema of a tool does.
const IN_DOCUMENT: &str = "#/components/schemas/";
const IN_SCHEMA: &str = "#/$defs/";

/// The arguments of a tool.
pub(super) fn input(row: &Row) -> Object {
    let properties: Object = row
        .arguments()
        .map(|argument| (argument.name.to_owned(), argument.schema()))
        .collect();
    let required: Vec<&str> = row
        .arguments()
        .filter(|argument| argument.is_required)
        .map(|argument| argument.name)
        .collect();
    object(json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
}

/// What the tools answer.
pub(super) struct Outputs {
    document: Value,
}

/// Reads the description of the routes.
pub(super) fn outputs() -> Outputs {
    Outputs { document: document() }
}

impl Outputs {
    /// The answer of a tool; `None` if its route is not described.
    pub(super) fn of(&self, row: &Row) -> Option<Object> {
        if row.path == WAIT_PATH {
            return Some(self.whole(crate::own::waited()));
        }
        let method = row.method.as_str().to_lowercase();
        let responses = self.document["paths"].get(row.path)?.get(method)?.get("responses")?;
        match responses.get("200") {
            Some(answer) => Some(self.whole(answer["content"]["application/json"]["schema"].clone())),
            None => Some(object(done())),
        }
    }

    /// The schema with all that it refers to.
    fn whole(&self, schema: Value) -> Object {
        let mut wanted = BTreeSet::new();
        names(&schema, &mut wanted);
        let mut schema = match schema.get("$ref").and_then(Value::as_str) {
            // The outermost has to say itself that it is an object.
            Some(reference) => self.named(reference.trim_start_matches(IN_DOCUMENT)).clone(),
            None => schema,
        };
        let mut definitions = Object::new();
        while let Some(name) = wanted.pop_first() {
            if !definitions.contains_key(&name) {
                let definition = self.named(&name).clone();
                names(&definition, &mut wanted);
                definitions.insert(name, in_camel_case(definition));
            }
        }
        schema = in_camel_case(schema);
        schema["type"] = "object".into();
        if !definitions.is_empty() {
            schema["$defs"] = definitions.into();
        }
        object(schema)
    }

    fn named(&self, name: &str) -> &Value {
        &self.document["components"]["schemas"][name]
    }
}

/// What is answered where the route answers nothing.
pub(super) fn success() -> Value {
    json!({ "success": true })
}

fn done() -> Value {
    json!({ "type": "object", "properties": { "success": { "type": "boolean" } }, "required": ["success"] })
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// The schemas that one refers to.
fn names(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(name.trim_start_matches(IN_DOCUMENT).to_owned());
            }
            fields.values().for_each(|field| names(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

/// The schema for what is answered in camelCase.
fn in_camel_case(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = match (name.as_str(), value) {
                    ("properties", Value::Object(properties)) => properties
                        .into_iter()
                        .map(|(name, property)| (camel(&name), in_camel_case(property)))
                        .collect::<Object>()
                        .into(),
                    ("required", Value::Array(names)) => names.iter().filter_map(Value::as_str).map(camel).collect(),
                    ("$ref", Value::String(name)) => name.replace(IN_DOCUMENT, IN_SCHEMA).into(),
                    (_, value) => in_camel_case(value),
                };
                (name, value)
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        Value::Array(items) => items.into_iter().map(in_camel_case).collect(),
        other => other,
    }
}
