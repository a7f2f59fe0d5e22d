//! A call of a tool as a request to its route, and the answer as a result.

use super::argument::{Argument, Kind, Place};
use super::case::{camel, renamed, snake};
use super::schema::success;
use super::tools::{ROWS, Row};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::Value;
use std::fmt::Write;
use tower::ServiceExt;

/// Longest answer of a route that is taken.
const MAX_ANSWER_OCTETS: usize = 64 << 20;
/// Items of a list that is asked for without a limit (agentmail.md §18).
const DEFAULT_LIMIT: &str = "10";

/// Who calls, and where it called.
pub(super) struct Caller<'a> {
    pub(super) key: &'a str,
    /// For links in the answer.
    pub(super) host: Option<&'a HeaderValue>,
}

/// Calls a tool with the key of the caller. What a route refuses is a result that says so, for the model to read.
pub(super) async fn call(
    others: &Router,
    caller: &Caller<'_>,
    name: &str,
    arguments: JsonObject,
) -> Result<CallToolResult, ErrorData> {
    let row = ROWS.iter().find(|row| row.name == name);
    let row = row.ok_or_else(|| ErrorData::invalid_params(format!("there is no tool {name}"), None))?;
    let request = request(row, caller, arguments).map_err(|error| ErrorData::invalid_params(error, None))?;
    let broken = |error: &dyn std::fmt::Display| {
        tracing::warn!(reason = %error, "a tool's call failed");
        ErrorData::internal_error("internal error", None)
    };
    let response = match others.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let bytes = to_bytes(response.into_body(), MAX_ANSWER_OCTETS)
        .await
        .map_err(|error| broken(&error))?;
    if !status.is_success() {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return Ok(CallToolResult::error(vec![ContentBlock::text(text)]));
    }
    if bytes.is_empty() {
        return Ok(CallToolResult::structured(success()));
    }
    let answer: Value = serde_json::from_slice(&bytes).map_err(|error| broken(&error))?;
    Ok(CallToolResult::structured(renamed(answer, camel)))
}

fn request(row: &Row, caller: &Caller<'_>, mut arguments: JsonObject) -> Result<Request<Body>, String> {
    let mut path = row.path.to_owned();
    let mut query = String::new();
    let mut body = JsonObject::new();
    let mut headers = HeaderMap::new();
    for argument in row.arguments() {
        let value = arguments.remove(argument.name).filter(|value| !value.is_null());
        let name = argument.route_name.map_or_else(|| snake(argument.name), str::to_owned);
        match (value, argument.place) {
            (None, _) if argument.is_required => return Err(format!("{} is missing", argument.name)),
            (None, _) if name == "limit" => add(&mut query, &name, DEFAULT_LIMIT),
            (None, _) => {}
            (Some(value), Place::Path) => {
                let text = value.as_str().filter(|text| !text.is_empty());
                let text = text.ok_or_else(|| format!("{} is a text", argument.name))?;
                path = path.replace(&format!("{{{name}}}"), &encoded(text));
            }
            (Some(value), Place::Query) => add(&mut query, &name, &Argument::in_query(&value)),
            (Some(value), Place::Header(field)) => {
                let text = value.as_str().filter(|text| !text.is_empty());
                let text = text.and_then(|text| HeaderValue::from_str(text).ok());
                let text = text.ok_or_else(|| format!("{} is a text of one line", argument.name))?;
                headers.insert(field, text);
            }
            (Some(value), Place::Body) => {
                let value = if argument.kind == Kind::Object {
                    value
                } else {
                    renamed(value, snake)
                };
                body.insert(name, value);
            }
        }
    }
    if let Some(unknown) = arguments.keys().next() {
        return Err(format!("{unknown} is no argument of {}", row.name));
    }
    let mut builder = Request::builder()
        .method(row.method.clone())
        .uri(path + &query)
        .header("x-api-key", caller.key);
    if let Some(host) = caller.host {
        builder = builder.header(header::HOST, host);
    }
    if let Some(fields) = builder.headers_mut() {
        fields.extend(headers);
    }
    let has_body = row.arguments().any(|argument| argument.place == Place::Body);
    let request = if has_body {
        let body = Value::Object(body).to_string();
        builder
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, body.len())
            .body(Body::from(body))
    } else {
        builder.body(Body::empty())
    };
    request.map_err(|_| "an argument is too long".to_owned())
}

fn add(query: &mut String, name: &str, value: &str) {
    let mark = if query.is_empty() { '?' } else { '&' };
    // Writing to a String does not fail.
    let _ = write!(query, "{mark}{name}={}", encoded(value));
}

/// With everything escaped that could end a segment or a value (RFC 3986 §2.3).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
