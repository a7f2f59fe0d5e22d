//! What our own routes answer, and what bodies they take.

use super::schema::{
    Of, body, flag, id, list, named, nullable, number, number_from, object, one_of, text, time, with_required,
};
use serde_json::{Value, json};

/// The schemas that answers refer to by name.
pub(super) const NAMED: [(&str, Of); 11] = [
    ("PostroomError", error),
    ("PostroomCaptured", captured),
    ("PostroomCapturedItem", captured_item),
    ("PostroomRecipient", recipient),
    ("PostroomTracedRecipient", traced_recipient),
    ("PostroomDkimKey", dkim_key),
    ("PostroomDomain", domain),
    ("PostroomDnsRecord", dns_record),
    ("PostroomInbox", inbox),
    ("PostroomOrganization", organization),
    ("PostroomDeleted", deleted),
];

/// What is said when something is refused. The name of a taken address, what is in the way of a handle, and where events
/// begin that are still kept, come with it.
fn error() -> Value {
    with_required(
        &[
            ("error", text()),
            ("code", text()),
            ("oldest", text()),
            ("newest", text()),
            ("blockingNamespace", one_of(&["identities", "mail"])),
        ],
        &["error", "code"],
    )
}

fn deleted() -> Value {
    with_required(&[("deleted", flag()), ("id", id()), ("domain", text())], &["deleted"])
}

/// A page of rows, under this name.
fn page(name: &str, row: &str) -> Value {
    object(&[(name, list(&named(row))), ("next", nullable(text()))])
}

pub(super) fn captured_page() -> Value {
    page("captured", "PostroomCapturedItem")
}

const CAPTURED: [(&str, Of); 7] = [
    ("id", text),
    ("message", id),
    ("from", text),
    ("to", text),
    ("subject", nullable_text),
    ("capturedAt", time),
    ("sizeBytes", number),
];

fn nullable_text() -> Value {
    nullable(text())
}

fn captured_item() -> Value {
    let fields = CAPTURED.map(|(name, of)| (name, of()));
    object(&fields)
}

fn captured() -> Value {
    let file = object(&[
        ("filename", nullable(text())),
        ("contentType", text()),
        ("sizeBytes", number()),
    ]);
    let field = object(&[("name", text()), ("value", text())]);
    let mut fields = CAPTURED.map(|(name, of)| (name, of())).to_vec();
    fields.extend([
        ("fromAddresses", list(&text())),
        ("toAddresses", list(&text())),
        ("ccAddresses", list(&text())),
        ("messageId", nullable(text())),
        ("plainBody", nullable(text())),
        ("htmlBody", nullable(text())),
        ("attachments", list(&file)),
        ("headers", list(&field)),
    ]);
    object(&fields)
}

pub(super) fn queue_page() -> Value {
    page("queue", "PostroomRecipient")
}

/// Fields of a recipient; of a trace `attempts` is what they were, else how many.
fn recipient_with(attempts: Value) -> Value {
    let states = super::super::queue_view::state_names();
    let report = object(&[
        (
            "kind",
            one_of(&["failed", "delayed", "delivered", "relayed", "expanded", "complaint"]),
        ),
        ("receivedAt", time()),
        ("status", nullable(text())),
        ("diagnostic", nullable(text())),
    ]);
    object(&[
        ("message", id()),
        ("recipient", number()),
        ("address", text()),
        ("inbox", nullable(id())),
        ("reversePath", text()),
        ("sizeBytes", number()),
        ("state", one_of(&states)),
        ("final", flag()),
        ("createdAt", time()),
        ("changedAt", time()),
        ("nextAttemptAt", nullable(time())),
        ("attempts", attempts),
        ("code", nullable(number())),
        ("status", nullable(text())),
        ("reason", nullable(text())),
        ("host", nullable(text())),
        ("reports", list(&report)),
    ])
}

fn recipient() -> Value {
    recipient_with(number())
}

fn traced_recipient() -> Value {
    let attempt = object(&[
        ("number", number()),
        ("startedAt", time()),
        ("endedAt", nullable(time())),
        ("host", nullable(text())),
        ("address", nullable(text())),
        ("tls", nullable(text())),
        (
            "outcome",
            one_of(&["open", "delivered", "deferred", "bounced", "uncertain"]),
        ),
        ("code", nullable(number())),
        ("status", nullable(text())),
        ("reason", nullable(text())),
    ]);
    recipient_with(list(&attempt))
}

pub(super) fn queued() -> Value {
    let recipients = list(&named("PostroomTracedRecipient"));
    object(&[("message", id()), ("recipients", recipients)])
}

pub(super) fn trace() -> Value {
    object(&[
        ("id", id()),
        ("inbox", id()),
        ("acceptedAt", nullable(time())),
        ("recipients", list(&named("PostroomTracedRecipient"))),
    ])
}

/// How many recipients of a message changed.
pub(super) fn acted() -> Value {
    object(&[("message", id()), ("changed", number())])
}

pub(super) fn flushed() -> Value {
    object(&[("changed", number())])
}

pub(super) fn of_recipient() -> Value {
    body(&[("recipient", number_from(0, u32::MAX.into()))], &[])
}

fn dkim_key() -> Value {
    object(&[
        ("selector", text()),
        ("algorithm", one_of(&["rsa-sha256", "ed25519-sha256"])),
        ("stage", text()),
        ("publishedAt", time()),
        ("signsFrom", time()),
        ("supersededAt", nullable(time())),
    ])
}

fn domain() -> Value {
    object(&[
        ("domain", text()),
        ("organization", nullable(id())),
        ("catchAll", nullable(text())),
        ("configured", flag()),
        ("createdAt", nullable(time())),
        ("dkimKeys", list(&named("PostroomDkimKey"))),
    ])
}

pub(super) fn domains() -> Value {
    object(&[("domains", list(&named("PostroomDomain")))])
}

pub(super) fn new_domain() -> Value {
    body(&[("domain", text()), ("organization", nullable(id()))], &["domain"])
}

pub(super) fn changed_domain() -> Value {
    body(&[("catchAll", nullable(text()))], &[])
}

pub(super) fn rotation() -> Value {
    body(&[("now", flag())], &[])
}

pub(super) fn rotated() -> Value {
    object(&[("domain", text()), ("dkimKeys", list(&named("PostroomDkimKey")))])
}

fn dns_record() -> Value {
    object(&[
        ("type", text()),
        ("name", text()),
        ("value", text()),
        ("priority", nullable(number())),
        ("purpose", text()),
    ])
}

pub(super) fn dns() -> Value {
    object(&[("domain", text()), ("records", list(&named("PostroomDnsRecord")))])
}

pub(super) fn wanted_secrets() -> Value {
    body(&[("apiKey", flag()), ("password", flag())], &[])
}

/// The inbox, with those of its secrets that are new.
pub(super) fn postmaster() -> Value {
    let secrets = with_required(&[("apiKey", text()), ("password", text())], &[]);
    json!({ "allOf": [named("PostroomInbox"), secrets] })
}

fn inbox() -> Value {
    object(&[
        ("id", id()),
        ("organization", id()),
        ("pod", id()),
        ("address", text()),
        ("addresses", list(&text())),
        ("forwardTo", nullable(text())),
        ("dailyMessages", nullable(number())),
        ("dailyNewRecipients", nullable(number())),
        ("sendPaused", flag()),
        ("receivePaused", flag()),
        ("identity", nullable(id())),
        ("handle", nullable(text())),
    ])
}

pub(super) fn wanted_identity() -> Value {
    body(&[("handle", text()), ("description", nullable(text()))], &["handle"])
}

pub(super) fn identity() -> Value {
    object(&[
        ("id", id()),
        ("handle", text()),
        ("description", nullable(text())),
        ("displayName", nullable(text())),
        ("organization", id()),
        ("inbox", id()),
        ("address", text()),
        ("createdAt", time()),
        ("updatedAt", time()),
        ("existed", flag()),
    ])
}

pub(super) fn changed_inbox() -> Value {
    let limit = || nullable(number_from(0, u32::MAX.into()));
    body(
        &[
            ("forwardTo", nullable(text())),
            ("dailyMessages", limit()),
            ("dailyNewRecipients", limit()),
            ("sendPaused", flag()),
            ("receivePaused", flag()),
        ],
        &[],
    )
}

fn organization() -> Value {
    let fields = [
        ("id", id()),
        ("name", text()),
        ("status", one_of(&["active", "suspended", "deleted"])),
        ("defaultPod", id()),
        ("maxInboxes", nullable(number())),
        ("maxOctets", nullable(number())),
        ("dailyMessages", nullable(number())),
        ("suspendedAt", nullable(time())),
        ("deletedAt", nullable(time())),
        ("createdAt", time()),
        ("updatedAt", time()),
        // Of one that is asked for alone.
        ("inboxCount", number()),
        ("octets", number()),
        ("messages", number()),
    ];
    let required = fields.each_ref().map(|(name, _)| *name);
    with_required(&fields, &required[..11])
}

pub(super) fn organizations() -> Value {
    object(&[("organizations", list(&named("PostroomOrganization")))])
}

pub(super) fn changed_organization() -> Value {
    let limit = |most| nullable(number_from(0, most));
    body(
        &[
            ("name", text()),
            ("maxInboxes", limit(u32::MAX.into())),
            ("maxOctets", limit(1 << 53)),
            ("dailyMessages", limit(u32::MAX.into())),
            ("suspended", flag()),
        ],
        &[],
    )
}

/// The events are those of webhooks.
pub(super) fn events() -> Value {
    let fields = [("type", text()), ("event_id", text()), ("event_type", text())];
    let event = with_required(&fields, &["event_id", "event_type"]);
    object(&[("events", list(&event)), ("next", text()), ("more", flag())])
}

/// Also what the tool that waits answers.
pub(in crate::own) fn waited() -> Value {
    let sender = with_required(
        &[
            ("address", nullable(text())),
            ("dmarc", text()),
            ("spf", text()),
            ("dkim", text()),
        ],
        &["dmarc", "spf", "dkim"],
    );
    let extraction = with_required(
        &[
            ("code", text()),
            ("link", text()),
            ("purpose", text()),
            ("evidence", text()),
            ("expires_at", text()),
            ("sender", sender),
        ],
        &["evidence", "sender"],
    );
    with_required(
        &[
            ("message", nullable(named("Message"))),
            ("next", text()),
            ("extraction", extraction),
        ],
        &["message", "next"],
    )
}
