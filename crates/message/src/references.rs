//! Message-IDs in header fields: whose child a message is (RFC 5322 §3.6.4, RFC 5256 §3).

use crate::header::{fields, unfold};
use std::borrow::Cow;

/// Most Message-IDs kept of In-Reply-To and References.
const MAX_REFERENCES: usize = 32;
/// Longest Message-ID used for threading; RFC 5322 §2.1.1 keeps lines to 998 octets.
const MAX_MESSAGE_ID_OCTETS: usize = 998;

/// The `<…>` of a value, without the angle brackets (RFC 5322 §3.6.4). White space within is a fold gone wrong.
pub(crate) fn message_ids(value: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some(open) = memchr::memchr(b'<', rest) {
        rest = &rest[open + 1..];
        let Some(close) = memchr::memchr(b'>', rest) else { break };
        let id: String = String::from_utf8_lossy(&rest[..close]).split_whitespace().collect();
        if !id.is_empty() && id.len() <= MAX_MESSAGE_ID_OCTETS {
            ids.push(id);
        }
        rest = &rest[close + 1..];
    }
    ids
}

/// The Message-IDs that a header names.
pub(crate) struct Named {
    /// In-Reply-To, then References newest first, without doubles.
    pub(crate) ancestors: Vec<String>,
    /// References in their order, else the first of In-Reply-To (RFC 5256 §3, REFERENCES).
    pub(crate) references: Vec<String>,
}

pub(crate) fn named(header: &[u8]) -> Named {
    let of = |name: &str| -> Vec<String> {
        fields(header)
            .filter(|field| field.is(name))
            .flat_map(|field| message_ids(&unfold(field.value)))
            .collect()
    };
    let (replied, mut references) = (of("In-Reply-To"), of("References"));
    let mut ancestors: Vec<String> = Vec::new();
    for id in replied.iter().chain(references.iter().rev()) {
        if ancestors.len() < MAX_REFERENCES && !ancestors.contains(id) {
            ancestors.push(id.clone());
        }
    }
    references.drain(..references.len().saturating_sub(MAX_REFERENCES));
    if references.is_empty() {
        references.extend(replied.into_iter().next());
    }
    Named { ancestors, references }
}

/// What the references of a message most likely were of which only the `ancestors` of a
/// [`Summary`](postroom_types::Summary) and the raw In-Reply-To are known: who replies names the message replied to as the
/// last reference.
#[must_use]
pub fn references_of_ancestors(ancestors: &[String], in_reply_to: Option<&[u8]>) -> Vec<String> {
    let mut replied = message_ids(in_reply_to.unwrap_or_default());
    replied.retain(|id| ancestors.contains(id));
    let rest = ancestors.iter().filter(|id| !replied.contains(id));
    let mut references: Vec<String> = rest.rev().cloned().collect();
    references.extend(replied.into_iter().next());
    references
}

/// A Message-ID as it is compared: without the quoting of its local-part (RFC 5256 §3: `"01KF8"@x` is `01KF8@x`).
#[must_use]
pub fn normal_message_id(id: &str) -> Cow<'_, str> {
    if !id.contains('"') {
        return Cow::Borrowed(id);
    }
    let mut out = String::with_capacity(id.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in id.chars() {
        match c {
            _ if std::mem::take(&mut escaped) => out.push(c),
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_the_parents() {
        for (header, references, guess) in [
            ("", vec![], vec![]),
            ("References: <a@x> <b@x>\r\n", vec!["a@x", "b@x"], vec!["a@x", "b@x"]),
            (
                "References: <a@x>\r\n <b@x>\r\nIn-Reply-To: <b@x>\r\n",
                vec!["a@x", "b@x"],
                vec!["a@x", "b@x"],
            ),
            (
                "In-Reply-To: Ann's <c@x> of <d@x>\r\nReferences: none\r\n",
                vec!["c@x"],
                vec!["c@x"],
            ),
            // What the old summaries do not say: that In-Reply-To is no reference.
            (
                "In-Reply-To: <c@x>\r\nReferences: <a@x>\r\n",
                vec!["a@x"],
                vec!["a@x", "c@x"],
            ),
        ] {
            let named = named(header.as_bytes());
            assert_eq!(named.references, references, "{header}");
            let field = fields(header.as_bytes()).find(|field| field.is("In-Reply-To"));
            let replied = field.map(|field| field.value);
            assert_eq!(references_of_ancestors(&named.ancestors, replied), guess, "{header}");
        }
    }

    #[test]
    fn the_newest_are_kept() {
        let ids: String = (0..40).map(|number| format!(" <{number}@x>\r\n")).collect();
        let named = named(format!("References:{ids}").as_bytes());
        assert_eq!((named.references.len(), named.references[31].as_str()), (32, "39@x"));
        assert_eq!((named.ancestors.len(), named.ancestors[0].as_str()), (32, "39@x"));
    }

    #[test]
    fn quoting_makes_no_other_message_id() {
        for (id, normal) in [
            ("01KF8JCEOCBS0045PS@xxx.yyy.com", "01KF8JCEOCBS0045PS@xxx.yyy.com"),
            ("\"01KF8JCEOCBS0045PS\"@xxx.yyy.com", "01KF8JCEOCBS0045PS@xxx.yyy.com"),
            ("\"a\\\"b\\\\\"@x", "a\"b\\@x"),
            ("a\\b@x", "a\\b@x"),
        ] {
            assert_eq!(normal_message_id(id), normal);
        }
    }
}
