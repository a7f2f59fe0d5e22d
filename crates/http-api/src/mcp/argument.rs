//! Arguments of tools, and where they go in the request to the route.

use serde_json::{Value, json};

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Time,
    Number,
    Flag,
    Texts,
    /// One text or several.
    Addresses,
    /// What users name.
    Object,
    Attachments,
    Choice(&'static [&'static str]),
}

/// Where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Body,
    /// As the header field of this name.
    Header(&'static str),
}

/// One argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argument {
    /// In camelCase.
    pub(super) name: &'static str,
    /// As the route calls it, if not the same in snake_case.
    pub(super) route_name: Option<&'static str>,
    pub(super) kind: Kind,
    pub(super) place: Place,
    pub(super) is_required: bool,
    about: &'static str,
}

const fn argument(name: &'static str, place: Place, kind: Kind, about: &'static str) -> Argument {
    Argument {
        name,
        route_name: None,
        kind,
        place,
        is_required: false,
        about,
    }
}

pub(super) const fn path(name: &'static str, about: &'static str) -> Argument {
    argument(name, Place::Path, Kind::Text, about).required()
}

pub(super) const fn query(name: &'static str, kind: Kind, about: &'static str) -> Argument {
    argument(name, Place::Query, kind, about)
}

pub(super) const fn body(name: &'static str, kind: Kind, about: &'static str) -> Argument {
    argument(name, Place::Body, kind, about)
}

/// So that a call that is repeated is done once, as the routes have it.
pub(super) const fn idempotency_key() -> Argument {
    let about =
        "Your own name of this call, such as a UUID: repeated with the same one it is done once, and answered alike";
    argument("idempotencyKey", Place::Header("idempotency-key"), Kind::Text, about)
}

impl Argument {
    pub(super) const fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }

    pub(super) const fn called(self, route_name: &'static str) -> Self {
        Self {
            route_name: Some(route_name),
            ..self
        }
    }

    /// What it may be (JSON Schema 2020-12).
    pub(super) fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Time => json!({ "type": "string", "format": "date-time" }),
            Kind::Number => json!({ "type": "integer", "minimum": 0 }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Addresses => json!({
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
            }),
            Kind::Object => json!({ "type": "object" }),
            Kind::Attachments => json!({ "type": "array", "items": attachment() }),
            Kind::Choice(choices) => json!({ "type": "string", "enum": choices }),
        };
        schema["description"] = self.about.into();
        schema
    }

    /// The value as it stands in a query.
    pub(super) fn in_query(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

fn attachment() -> Value {
    json!({
        "type": "object",
        "properties": {
            "filename": { "type": "string" },
            "contentType": { "type": "string" },
            "contentDisposition": { "type": "string", "enum": ["inline", "attachment"] },
            "contentId": { "type": "string" },
            "content": { "type": "string", "description": "Base64" },
            "url": { "type": "string", "description": "Where the server fetches it, instead of content" },
        },
    })
}
