//! Mail that a caller wants sent: written as a message and handed to intake. Dialects fill a [`Letter`].
//!
//! What always holds: From is the inbox's primary address; every value that becomes a header field is one line; Bcc is
//! in the message that intake gets, which takes it out for all but the sender's own copy.

pub(crate) mod answering;
pub(crate) mod mailboxes;

use crate::State;
use crate::error::{ApiError, invalid};
use axum::http::HeaderMap;
use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_intake::{Idempotency, Submission, Submitted, Via};
use postroom_mailstore::ThreadChoice;
use postroom_message::{Mailbox, Outgoing, OutgoingAttachment, compose};
use postroom_types::{EmailAddress, EmailId, ReversePath};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// Longest idempotency key, octets.
const MAX_KEY_OCTETS: usize = 255;

/// What is to be said, and to whom.
#[derive(Debug, Default)]
pub(crate) struct Letter {
    pub(crate) to: Vec<Mailbox>,
    pub(crate) cc: Vec<Mailbox>,
    pub(crate) bcc: Vec<Mailbox>,
    pub(crate) reply_to: Vec<Mailbox>,
    pub(crate) subject: String,
    pub(crate) plain: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) attachments: Vec<OutgoingAttachment>,
    /// Whether a program wrote it, as far as its owner says. RFC 3834 §5 wants such mail marked, and loop breakers, ours
    /// included, count on the mark. What comes over an API is taken for a program's unless the request says that a person
    /// wrote it.
    pub(crate) automated: bool,
}

/// What it answers.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) thread: ThreadChoice,
    pub(crate) answers: Option<EmailId>,
    pub(crate) in_reply_to: Option<String>,
    pub(crate) references: Vec<String>,
}

impl Context {
    /// Of mail that answers nothing.
    pub(crate) fn new_thread() -> Self {
        Self {
            thread: ThreadChoice::New,
            answers: None,
            in_reply_to: None,
            references: Vec::new(),
        }
    }
}

/// A message ready for intake.
#[derive(Debug)]
pub(crate) struct Prepared {
    content: Bytes,
    recipients: Vec<EmailAddress>,
    thread: ThreadChoice,
    answers: Option<EmailId>,
}

/// Writes the message.
pub(crate) fn prepare(inbox: &InboxRecord, letter: Letter, context: Context) -> Result<Prepared, ApiError> {
    let mut seen = HashSet::new();
    let addressed = letter.to.iter().chain(&letter.cc).chain(&letter.bcc);
    let addresses = addressed.map(|mailbox| mailbox.address.clone());
    let recipients: Vec<EmailAddress> = addresses.filter(|address| seen.insert(address.clone())).collect();
    let outgoing = Outgoing {
        from: Mailbox {
            name: inbox.display_name.clone(),
            address: inbox.primary.clone(),
        },
        auto_submitted: auto_submitted(letter.automated, context.answers.is_some()),
        to: letter.to,
        cc: letter.cc,
        bcc: letter.bcc,
        reply_to: letter.reply_to,
        subject: letter.subject,
        text: letter.plain,
        html: letter.html,
        attachments: letter.attachments,
        in_reply_to: context.in_reply_to,
        references: context.references,
        extra: Vec::new(),
        date_seconds: jiff::Timestamp::now().as_second(),
        message_id: format!("{}@{}", EmailId::new(), inbox.primary.domain()),
    };
    Ok(Prepared {
        content: compose(&outgoing)?.into(),
        recipients,
        thread: context.thread,
        answers: context.answers,
    })
}

/// What RFC 3834 §5 calls a message that a program wrote: in answer to another, or of its own accord.
fn auto_submitted(automated: bool, is_answer: bool) -> Option<&'static str> {
    match (automated, is_answer) {
        (false, _) => None,
        (true, true) => Some("auto-replied"),
        (true, false) => Some("auto-generated"),
    }
}

/// Hands it to intake.
pub(crate) async fn submit(
    state: &State,
    inbox: InboxRecord,
    prepared: Prepared,
    idempotency: Option<Idempotency>,
) -> Result<Submitted, ApiError> {
    let submission = Submission {
        via: Via::Api,
        reverse_path: ReversePath::Mailbox(inbox.primary.clone()),
        inbox,
        recipients: prepared.recipients,
        content: prepared.content,
        thread: prepared.thread,
        idempotency,
        answers: prepared.answers,
    };
    Ok(state.intake().submit(submission).await?)
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

    #[test]
    fn marks() {
        assert_eq!(auto_submitted(true, false), Some("auto-generated"));
        assert_eq!(auto_submitted(true, true), Some("auto-replied"));
        assert_eq!(
            (auto_submitted(false, false), auto_submitted(false, true)),
            (None, None)
        );
    }
}
