//! Names in camelCase for models, in snake_case for routes.

use serde_json::{Map, Value};

/// Objects whose keys are what users made them.
const VERBATIM: [&str; 2] = ["metadata", "headers"];

/// `inboxId` of `inbox_id`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut capital = false;
    for c in name.chars() {
        match c {
            '_' if !out.is_empty() => capital = true,
            c if capital => {
                out.push(c.to_ascii_uppercase());
                capital = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// `inbox_id` of `inboxId`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The value with its keys renamed, at any depth but below what users named.
pub(super) fn renamed(value: Value, rename: fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| renamed(item, rename)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = if VERBATIM.contains(&name.as_str()) {
                    value
                } else {
                    renamed(value, rename)
                };
                (rename(&name), value)
            };
            Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names() {
        for (one, other) in [
            ("inbox_id", "inboxId"),
            ("to", "to"),
            ("next_page_token", "nextPageToken"),
        ] {
            assert_eq!((camel(one).as_str(), snake(other).as_str()), (other, one));
        }
    }

    #[test]
    fn what_users_named_stays() {
        let value = json!({ "inbox_id": "a_b", "metadata": { "my_key": 1 }, "list": [{ "content_type": "x" }] });
        let expected = json!({ "inboxId": "a_b", "metadata": { "my_key": 1 }, "list": [{ "contentType": "x" }] });
        assert_eq!(renamed(value, camel), expected);
    }
}
