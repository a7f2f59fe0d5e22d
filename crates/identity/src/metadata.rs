//! What an owner keeps with an inbox: JSON, which may be longer than a value of the store ([`crate::parts`]).
//!
//! What always holds: it is written only in a commit that replaces the inbox's row.

use crate::{Identity, IdentityError, keys};
use postroom_store::Key;
use postroom_types::InboxId;
use serde_json::Map;

/// Most octets of metadata that is kept as one text.
const MAX_TEXT_OCTETS: usize = 3072;
/// Most names of metadata that is kept as names and values.
const MAX_NAMES: usize = 256;
/// Longest name and longest text of one value, in characters.
const MAX_CHARACTERS: usize = 256;

/// Names and values, as AgentMail knows metadata.
pub type Metadata = Map<String, serde_json::Value>;

/// Checks metadata of names and values: each a text, a number or a boolean; where something is changed, also nothing.
pub(crate) fn check(metadata: &Metadata, may_remove: bool) -> Result<(), IdentityError> {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    if metadata.len() > MAX_NAMES {
        return Err(IdentityError::Invalid("metadata has at most 256 keys"));
    }
    for (name, value) in metadata {
        if name.is_empty() || name.chars().count() > MAX_CHARACTERS {
            return Err(IdentityError::Invalid("a key of metadata has 1 to 256 characters"));
        }
        match value {
            String(text) if text.chars().count() > MAX_CHARACTERS => {
                return Err(IdentityError::Invalid("a value of metadata has at most 256 characters"));
            }
            Null if !may_remove => return Err(IdentityError::Invalid("a value of metadata cannot be null here")),
            Array(_) | Object(_) => {
                return Err(IdentityError::Invalid(
                    "a value of metadata is a string, a number or a boolean",
                ));
            }
            Null | Bool(_) | Number(_) | String(_) => {}
        }
    }
    Ok(())
}

/// Checks metadata that is kept as one text.
pub(crate) fn check_text(text: &str) -> Result<(), IdentityError> {
    if text.len() > MAX_TEXT_OCTETS {
        return Err(IdentityError::Invalid("metadata has at most 3,072 octets of JSON"));
    }
    Ok(())
}

/// The old text with a change merged in: given names set, names without a value removed. What was kept before and is
/// no object gives way.
pub(crate) fn merged(old: Option<&str>, change: &Metadata) -> Result<Option<String>, IdentityError> {
    let mut all: Metadata = old.and_then(|old| serde_json::from_str(old).ok()).unwrap_or_default();
    for (name, value) in change {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    if all.len() > MAX_NAMES {
        return Err(IdentityError::Invalid("metadata has at most 256 keys"));
    }
    Ok((!all.is_empty()).then(|| text_of(&all)))
}

pub(crate) fn text_of(metadata: &Metadata) -> String {
    serde_json::Value::Object(metadata.clone()).to_string()
}

impl Identity {
    /// What its owner keeps with an inbox, as JSON.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn metadata(&self, id: InboxId) -> Result<Option<String>, IdentityError> {
        Ok(self.text_in_parts(&keys::metadata(id)).await?.0)
    }

    /// What its owner keeps with an inbox, as names and values; `None` if that is something else.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn metadata_object(&self, id: InboxId) -> Result<Option<Metadata>, IdentityError> {
        let text = self.metadata(id).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Every row that an inbox's metadata may have.
    pub(crate) async fn metadata_rows(&self, id: InboxId) -> Result<Vec<Key>, IdentityError> {
        self.rows_of_text(&keys::metadata(id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: serde_json::Value) -> Metadata {
        match value {
            serde_json::Value::Object(map) => map,
            other => panic!("no object: {other}"),
        }
    }

    #[test]
    fn merging() {
        let check = |old: Option<&str>, change, expected: Option<&str>| {
            assert_eq!(merged(old, &object(change)).unwrap().as_deref(), expected);
        };
        check(None, json!({"a": 1}), Some(r#"{"a":1}"#));
        check(None, json!({"a": null}), None);
        check(
            Some(r#"{"a":1,"b":"x"}"#),
            json!({"a": null, "c": true}),
            Some(r#"{"b":"x","c":true}"#),
        );
        check(Some(r#"{"a":1}"#), json!({"a": 5.0}), Some(r#"{"a":5.0}"#));
        check(Some(r#"{"a":1}"#), json!({"a": null}), None);
        check(Some("[1,2]"), json!({"a": "b"}), Some(r#"{"a":"b"}"#));
        let many: Metadata = (0..256).map(|n| (format!("k{n}"), json!(n))).collect();
        assert!(merged(Some(&text_of(&many)), &object(json!({"one": "more"}))).is_err());
        assert!(merged(Some(&text_of(&many)), &object(json!({"one": "more", "k0": null}))).is_ok());
    }

    #[test]
    fn what_may_be_kept() {
        let longest = "ä".repeat(256);
        for good in [
            json!({}),
            json!({"a": "", "b": 1.5, "c": false}),
            json!({ longest.clone(): longest.clone() }),
        ] {
            assert!(check(&object(good), false).is_ok());
        }
        let too_long = "x".repeat(257);
        for bad in [
            json!({"": 1}),
            json!({"a": []}),
            json!({"a": {}}),
            json!({ too_long.clone(): 1 }),
            json!({ "a": too_long }),
        ] {
            assert!(check(&object(bad), true).is_err());
        }
        assert!(check(&object(json!({"a": null})), true).is_ok());
        assert!(check(&object(json!({"a": null})), false).is_err());
    }
}
