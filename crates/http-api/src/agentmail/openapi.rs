//! The OpenAPI document of the dialect, made of the table of operations.

use super::failure::ErrorBody;
use super::operations::{Kind, Level, Operation, Parameter, SchemaOf, all, schema_of};
use serde_json::{Map, Value, json};
use utoipa::openapi::{HttpMethod, RefOr, Schema};

/// The document (OpenAPI 3.1).
pub(crate) fn document() -> Value {
    let mut schemas = Vec::new();
    let error = schema(schema_of::<ErrorBody>, &mut schemas);
    let mut paths: Map<String, Value> = Map::new();
    for operation in all() {
        for level in operation.levels {
            // The router's way to write a segment that takes all the rest.
            let path = format!("/v0{}{}", level.prefix(), operation.path).replace("{*", "{");
            let described = describe(operation, *level, &path, &error, &mut schemas);
            let at = paths.entry(path).or_insert_with(|| json!({}));
            at[method(&operation.method)] = described;
        }
    }
    let schemas: Map<String, Value> = schemas
        .into_iter()
        .filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "postroom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Mailboxes for agents. The paths below /v0 are those of the AgentMail API.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "key": [] }],
    })
}

fn schema(of: SchemaOf, schemas: &mut Vec<(String, RefOr<Schema>)>) -> Value {
    // A schema is plain data with string keys.
    serde_json::to_value(of(schemas)).unwrap_or_default()
}

const fn method(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Delete => "delete",
        HttpMethod::Patch => "patch",
        HttpMethod::Options => "options",
        HttpMethod::Head => "head",
        HttpMethod::Trace => "trace",
    }
}

fn describe(
    operation: &Operation,
    level: Level,
    path: &str,
    error: &Value,
    schemas: &mut Vec<(String, RefOr<Schema>)>,
) -> Value {
    let place = match level {
        Level::Organization => "",
        Level::Pod => "pods.",
        Level::Inbox => "inboxes.",
    };
    let names = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let in_path =
        names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let parameters: Vec<Value> = in_path.chain(operation.query.iter().map(in_query)).collect();
    let content = |schema: &Value| json!({ "application/json": { "schema": schema } });
    let done = match operation.answer {
        Some(answer) => {
            let content = json!({ operation.media: { "schema": schema(answer, schemas) } });
            json!({ "200": { "description": "Done", "content": content } })
        }
        None => json!({ "204": { "description": "Done" } }),
    };
    let mut described = json!({
        "operationId": format!("{place}{}", operation.id),
        "tags": [operation.id.split('.').next().unwrap_or_default()],
        "parameters": parameters,
        "responses": done,
    });
    described["responses"]["default"] = json!({ "description": "An error", "content": content(error) });
    if let Some(body) = operation.body {
        described["requestBody"] = json!({ "content": content(&schema(body, schemas)) });
    }
    let permissions = operation.needs.iter();
    let permissions: Vec<String> = permissions.map(|permission| permission.to_string()).collect();
    if !permissions.is_empty() {
        described["x-permissions"] = permissions.into();
    }
    described
}

fn in_query(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
    };
    json!({ "name": parameter.name, "in": "query", "schema": schema })
}
