//! Mail that a caller wants sent: handed to intake. Dialects fill a [`Letter`](postroom_drafts::Letter).
//!
//! What always holds: the reverse-path is the inbox's primary address, as From is.

pub(crate) mod given;
pub(crate) mod mailboxes;

use crate::State;
use crate::error::{ApiError, invalid};
use axum::http::HeaderMap;
use postroom_drafts::{Source, Written};
use postroom_identity::InboxRecord;
use postroom_intake::{Alongside, Idempotency, Submission, Submitted, Via};
use postroom_mailstore::{Listed, Mailstore};
use postroom_types::{EmailId, ReversePath};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Longest idempotency key, octets.
const MAX_KEY_OCTETS: usize = 255;

/// Hands it to intake.
pub(crate) async fn submit(
    state: &State,
    inbox: InboxRecord,
    written: Written,
    idempotency: Option<Idempotency>,
    alongside: Alongside,
) -> Result<Submitted, ApiError> {
    let submission = Submission {
        via: Via::Api,
        reverse_path: ReversePath::Mailbox(inbox.primary.clone()),
        inbox,
        recipients: written.recipients,
        content: written.content,
        thread: written.thread,
        idempotency,
        answers: written.answers,
    };
    Ok(state.intake().submit_with(submission, alongside).await?)
}

/// A message that is answered or passed on, with its first octets; `None` if it was removed meanwhile.
pub(crate) async fn source(mailstore: &Mailstore, found: Listed, octets: u64) -> Result<Option<Source>, ApiError> {
    let content = mailstore.read(&found.record.content, 0..octets).await?;
    Ok(content.map(|content| Source {
        email_id: found.record.email_id,
        thread_id: found.record.thread_id,
        summary: found.summary,
        outbound: found.labels.sent,
        content,
    }))
}

/// The `Idempotency-Key` of a request.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => return Err(invalid("Idempotency-Key is given more than once")),
    };
    let good = (1..=MAX_KEY_OCTETS).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let key = std::str::from_utf8(value).ok().filter(|_| good);
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| invalid("Idempotency-Key has 1 to 255 printable ASCII characters"))
}

/// A hash of all that a request says. Two bodies that differ in the order of fields or in white space say the same.
pub(crate) fn fingerprint(route: &str, target: Option<EmailId>, body: &impl Serialize) -> Result<[u8; 32], ApiError> {
    let mut hashing = Hashing(Sha256::new());
    hashing.0.update(route.as_bytes());
    hashing.0.update([0]);
    hashing.0.update(target.map_or([0; 16], |id| *id.as_bytes()));
    serde_json::to_writer(&mut hashing, body).map_err(|_| ApiError::Internal)?;
    Ok(hashing.0.finalize().into())
}

struct Hashing(Sha256);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_says_the_same_has_the_same_fingerprint() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let (one, other) = (EmailId::new(), EmailId::new());
        let of = |route, target, body: &Value| fingerprint(route, target, body).unwrap();
        let first = of("send", None, &parse(r#"{"to":"a@b","subject":"x"}"#));
        assert_eq!(first, of("send", None, &parse(r#"{ "subject": "x", "to": "a@b" }"#)));
        let reply = of("reply", Some(one), &json!({}));
        for different in [
            of("send", None, &json!({ "to": "a@b", "subject": "y" })),
            of("reply", Some(other), &json!({})),
            of("reply-all", Some(one), &json!({})),
        ] {
            assert!(different != first && different != reply);
        }
    }

    #[test]
    fn keys_are_one_line_of_some_length() {
        let check = |values: &[&[u8]], expected: Result<Option<&str>, ()>| {
            let fields = values.iter().map(|value| {
                (
                    axum::http::HeaderName::from_static("idempotency-key"),
                    axum::http::HeaderValue::from_bytes(value).unwrap(),
                )
            });
            let mut headers = HeaderMap::new();
            fields.for_each(|(name, value)| {
                headers.append(name, value);
            });
            let key = idempotency_key(&headers).map_err(|_| ());
            assert_eq!(key, expected.map(|key| key.map(str::to_owned)), "{values:?}");
        };
        let longest = [b'x'; 255];
        check(&[], Ok(None));
        check(&[b"\"a b\""], Ok(Some("\"a b\"")));
        check(&[&longest], Ok(Some(std::str::from_utf8(&longest).unwrap())));
        for bad in [
            &[&b""[..]][..],
            &[&[b'x'; 256]],
            &[b"\xc3\xa4"],
            &[b"a\tb"],
            &[b"a", b"a"],
        ] {
            check(bad, Err(()));
        }
    }
}
