//! The mail of an organization: for each mailbox an mbox file, and beside it a line for each message.
//!
//! What always holds: the lines are those of the messages in the file, in its order. A message that is removed before it
//! was written is in neither; one that is removed after it was written has a line that says so.

use super::{Archive, Made, names};
use crate::model::time;
use postroom_identity::InboxRecord;
use postroom_mailstore::{BlobReader, Content, MailError, MailboxInfo, MessageState, Meta, Origin, SharedMailbox};
use postroom_types::{Flag, InboxId, InternalDate, Uid};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Messages looked up together.
const MESSAGES: usize = 100;
/// Octets of a message read at a time.
const CHUNK_OCTETS: u64 = 256 << 10;
/// The line above a message has a sender; who it was for SMTP is not kept.
const SENDER: &str = "MAILER-DAEMON";

impl Archive {
    pub(super) async fn mail(&mut self) -> Made<()> {
        let (mut after, mut folders) = (None, HashSet::new());
        loop {
            let (inboxes, next) = self.inbox_page(after).await?;
            for inbox in inboxes {
                let folder = names::folder(&inbox.canonical.to_string(), inbox.id, &mut folders);
                match self.inbox(&inbox, &folder).await {
                    Ok(()) => {}
                    // Deleted since the list was read.
                    Err(error) if is_gone(&*error) => {}
                    Err(error) => return Err(error),
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn inbox(&mut self, inbox: &InboxRecord, folder: &str) -> Made<()> {
        let mailboxes = self.state.mailstore().mailboxes(inbox.id).await?;
        // Not within the folder, where a mailbox may be called so.
        self.begin(&format!("mailboxes/{folder}.jsonl"))?;
        for mailbox in &mailboxes {
            self.line(&mailbox_record(mailbox)).await?;
        }
        for mailbox in &mailboxes {
            let name = format!("mail/{folder}/{}", names::mailbox(&mailbox.name, mailbox.id));
            match self.mailbox(inbox.id, mailbox, &name).await {
                Ok(()) => {}
                Err(error) if is_gone(&*error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn mailbox(&mut self, inbox: InboxId, mailbox: &MailboxInfo, name: &str) -> Made<()> {
        let open = self.state.mailstore().open_shared(inbox, mailbox.id).await?;
        let uids = open.snapshot().uids;
        self.begin(&format!("{name}.mbox"))?;
        let mut left_out = HashSet::new();
        for piece in uids.chunks(MESSAGES) {
            self.messages(&open, piece, &mut left_out).await?;
        }
        self.begin(&format!("{name}.jsonl"))?;
        for piece in uids.chunks(MESSAGES) {
            let written: Vec<Uid> = piece.iter().copied().filter(|uid| !left_out.contains(uid)).collect();
            for line in self.lines(&open, &written).await? {
                self.line(&line).await?;
            }
        }
        Ok(())
    }

    /// Writes messages; those that are gone by now are left out.
    async fn messages(&mut self, open: &SharedMailbox, uids: &[Uid], left_out: &mut HashSet<Uid>) -> Made<()> {
        let mailstore = Arc::clone(self.state.mailstore());
        let located = mailstore.contents(open.inbox(), open.id(), uids).await?;
        let contents: BTreeMap<Uid, Content> = located
            .into_iter()
            .map(|located| (located.uid, located.content))
            .collect();
        for (uid, state) in uids.iter().zip(open.states(uids)) {
            let written = match contents.get(uid) {
                Some(content) => self.message(content, state.as_ref()).await?,
                None => false,
            };
            if !written {
                left_out.insert(*uid);
            }
        }
        Ok(())
    }

    /// Writes one message; `false` if its body is gone, or its beginning does not read.
    async fn message(&mut self, content: &Content, state: Option<&MessageState>) -> Made<bool> {
        let mailstore = Arc::clone(self.state.mailstore());
        let mut reader = BlobReader::at(content.blob, 0);
        let mut next = async || mailstore.read_on(&mut reader, CHUNK_OCTETS).await;
        let mut bytes = match next().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(false),
            Err(error) if error.is_damage() => {
                tracing::error!(%error, "a message that is damaged is not exported");
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let date = state.map_or(0, |state| state.internal_date.seconds);
        self.out.begin(SENDER, date)?;
        self.out.write(&content.prefix)?;
        let mut left = content.body_octets;
        while left > 0 {
            if bytes.is_empty() {
                return Err("a body was removed while it was read".into());
            }
            self.out.write(&bytes)?;
            left = left.saturating_sub(bytes.len() as u64);
            self.send(super::PIECE_OCTETS).await?;
            if left > 0 {
                bytes = next().await?.unwrap_or_default();
            }
        }
        self.out.end()?;
        self.send(super::PIECE_OCTETS).await?;
        Ok(true)
    }

    /// What is known of messages that were written, in their order.
    async fn lines(&self, open: &SharedMailbox, uids: &[Uid]) -> Made<Vec<Value>> {
        let mailstore = self.state.mailstore();
        let found = mailstore.metadata(open.inbox(), open.id(), uids, false).await?;
        let mut found: BTreeMap<Uid, Meta> = found.into_iter().map(|meta| (meta.uid, meta)).collect();
        let mut lines = Vec::with_capacity(uids.len());
        for (uid, state) in uids.iter().zip(open.states(uids)) {
            let line = match (found.remove(uid), state) {
                (Some(meta), Some(state)) => {
                    let record = mailstore.message(open.inbox(), meta.email_id).await?;
                    let origin = record.map(|record| (record.origin, record.received_at));
                    message_record(&meta, &state, origin)
                }
                _ => json!({ "uid": uid.get(), "removed": true }),
            };
            lines.push(line);
        }
        Ok(lines)
    }
}

fn mailbox_record(mailbox: &MailboxInfo) -> Value {
    json!({
        "id": mailbox.id.to_string(),
        "name": mailbox.name,
        "file": format!("{}.mbox", names::mailbox(&mailbox.name, mailbox.id)),
        "specialUse": mailbox.special_use.map(|special_use| special_use.attribute()),
        "subscribed": mailbox.subscribed,
        "uidValidity": mailbox.uid_validity.get(),
    })
}

fn message_record(meta: &Meta, state: &MessageState, origin: Option<(Origin, i64)>) -> Value {
    let flags = Flag::ALL.into_iter().filter(|flag| state.flags.system.contains(*flag));
    let keywords = state.flags.keywords.iter().map(|keyword| keyword.as_str());
    json!({
        "uid": meta.uid.get(),
        "emailId": meta.email_id.to_string(),
        "threadId": meta.thread_id.to_string(),
        "internalDate": date(meta.internal_date),
        "sizeOctets": meta.size_octets,
        "flags": flags.map(Flag::name).collect::<Vec<_>>(),
        "keywords": keywords.collect::<Vec<_>>(),
        "modseq": state.modseq.0,
        "origin": origin.map(|(origin, _)| match origin {
            Origin::Received => "received",
            Origin::Sent => "sent",
            Origin::Imported => "imported",
            Origin::Draft => "draft",
        }),
        "receivedAt": origin.map(|(_, at)| time(at)),
    })
}

/// RFC 3339, in the zone it was given in.
fn date(date: InternalDate) -> String {
    let seconds = i32::from(date.zone_quarters()) * 900;
    let zone = jiff::tz::Offset::from_seconds(seconds).unwrap_or(jiff::tz::Offset::UTC);
    let timestamp = jiff::Timestamp::from_second(date.seconds).unwrap_or_default();
    timestamp.display_with_offset(zone).to_string()
}

/// Whether an inbox or a mailbox was removed meanwhile.
fn is_gone(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(MailError::NoSuchInbox(_) | MailError::NoSuchMailbox)
    )
}
