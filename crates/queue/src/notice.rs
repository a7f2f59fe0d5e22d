//! Notices to the sender: not delivered, or not yet (RFC 3464). They are messages of the queue like any other.
//!
//! What always holds: a notice is never about a message with the null reverse-path, and its own is null, so no notice is
//! ever about a notice (RFC 5321 §6.1). It goes to the reverse-path the message came with, never to a signed one.

use crate::QueueError;
use crate::close::Ending;
use crate::decide::Notice;
use crate::model::{Destination, ItemState, NewQueued, NewRecipient, QueuedBody, Reason};
use crate::rows::{ItemRow, MessageRow};
use crate::schedule::milliseconds;
use crate::shared::Shared;
use bytes::Bytes;
use postroom_message::{Dsn, DsnAction, DsnRecipient, body_offset, compose_dsn};
use postroom_types::{BlobId, EmailAddress, EmailId, ReversePath};
use sha2::{Digest, Sha256};

/// Octets of the body that are searched for the end of the header.
const HEADER_OCTETS: u64 = 16 * 1024;

impl Shared {
    /// One notice for all endings that ask for one of this kind, if any does and there is somebody to tell.
    pub(crate) async fn notice(
        &self,
        message: EmailId,
        row: &MessageRow,
        kind: Notice,
        endings: &[Ending],
    ) -> Result<Option<(NewQueued, Bytes)>, QueueError> {
        let told: Vec<&Ending> = endings
            .iter()
            .filter(|ending| ending.decision.notice == Some(kind))
            .collect();
        let (Some(first), ReversePath::Mailbox(to)) = (told.first(), &row.reverse_path) else {
            return Ok(None);
        };
        let now = self.now();
        let id = notice_id(now, message, kind, first);
        let body = Bytes::from(self.compose(row, to, id, kind, &told).await?);
        let destination = match row.sender {
            Some(inbox) => Destination::Inbox(inbox),
            None => Destination::Domain(to.domain().clone()),
        };
        let queued = NewQueued {
            id,
            sender: None,
            organization: None,
            reverse_path: ReversePath::Null,
            verp: false,
            prefix: Vec::new(),
            body: QueuedBody {
                blob: BlobId(*id.as_bytes()),
                octets: body.len() as u64,
            },
            eight_bit: !body.is_ascii(),
            smtputf8: to.is_internationalized() || !body.is_ascii(),
            recipients: vec![NewRecipient {
                address: to.clone(),
                destination,
            }],
            created_at: now,
            held: None,
        };
        Ok(Some((queued, body)))
    }

    async fn compose(
        &self,
        row: &MessageRow,
        to: &EmailAddress,
        id: EmailId,
        kind: Notice,
        told: &[&Ending],
    ) -> Result<Vec<u8>, QueueError> {
        let mut header = row.prefix.clone();
        let octets = row.body.octets.min(HEADER_OCTETS);
        if let Some(body) = self.store.blob(row.body.blob, 0..octets).await? {
            header.extend_from_slice(&body);
        }
        header.truncate(body_offset(&header));
        let texts: Vec<(String, String)> = told.iter().map(|ending| explanation(&ending.decision.row)).collect();
        let until = |row: &ItemRow| row.aged_from().saturating_add(milliseconds(self.options.lifetime)) / 1000;
        let recipients = told.iter().zip(&texts).map(|(ending, (status, diagnostic))| {
            let row = &ending.decision.row;
            DsnRecipient {
                address: &row.address,
                action: match kind {
                    Notice::Failed => DsnAction::Failed,
                    Notice::Delayed => DsnAction::Delayed,
                },
                status,
                remote_host: if said_by_peer(row) { &row.contact.host } else { "" },
                diagnostic,
                last_attempt: row.changed_at / 1000,
                will_retry_until: (kind == Notice::Delayed).then(|| until(row)),
            }
        });
        Ok(compose_dsn(&Dsn {
            reporting_host: &self.options.hostname,
            from_domain: &self.options.notice_domain,
            to,
            message_id: &format!("{id}@{}", self.options.hostname),
            envelope_id: None,
            arrival: row.created_at / 1000,
            date: self.now() / 1000,
            recipients: recipients.collect(),
            original_header: &header,
        }))
    }
}

/// Whether the reason is the words of another server.
fn said_by_peer(row: &ItemRow) -> bool {
    row.reason.code != 0 && row.contact.host != "local"
}

/// The enhanced status code, and what to say.
fn explanation(row: &ItemRow) -> (String, String) {
    let Reason { code, status, text } = &row.reason;
    let said = match (*code, status.as_str()) {
        (0, _) => text.clone(),
        (code, "") => format!("{code} {text}"),
        (code, status) => format!("{code} {status} {text}"),
    };
    let or = |default: &str| {
        if status.is_empty() {
            default.to_owned()
        } else {
            status.clone()
        }
    };
    match row.state {
        // RFC 3463 §3.5, X.4.7: delivery time expired.
        ItemState::Expired => ("4.4.7".into(), said),
        ItemState::Held if said_by_peer(row) => (or("4.4.2"), said),
        ItemState::Held => (
            or("4.4.2"),
            format!("Whether this was delivered is not known, and it is not sent again: {said}"),
        ),
        ItemState::Queued => (or("4.0.0"), said),
        _ => (or("5.0.0"), said),
    }
}

/// An id that sorts by time as all do (RFC 9562 §5.7), and is the same whenever the same notice is written again.
fn notice_id(now: i64, message: EmailId, kind: Notice, first: &Ending) -> EmailId {
    let mut hash = Sha256::new();
    hash.update(message.as_bytes());
    hash.update([kind as u8]);
    hash.update(first.id.recipient.to_be_bytes());
    hash.update(first.number.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&now.max(0).to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    EmailId::from_bytes(bytes)
}
