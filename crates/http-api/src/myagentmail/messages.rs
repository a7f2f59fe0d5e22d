//! Mail of an inbox: listed, shown, marked, archived, moved to the trash.
//!
//! What always holds: a deleted message is one in the trash, and is not shown; it is there for IMAP, which may take it
//! back out.

use super::message_view::{MessageView, Roles};
use super::operations::{Operation, READERS};
use super::texts;
use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::request::{Asked, Fields, Segments};
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::{delete, get, patch};
use postroom_mailstore::{FlagMode, MailError, Mailstore, MessageRecord};
use postroom_types::{EmailId, Flag, Flags, InboxId, MailboxId, MessageFlags, SpecialUse, Summary, ThreadId, Uid};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

const ONE: &str = "/inboxes/{inbox}/messages/{message}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/inboxes/{inbox}/messages", READERS, || get(list)),
    Operation::get(ONE, READERS, || get(show)),
    Operation::patch(ONE, READERS, || patch(update)),
    Operation::delete(ONE, READERS, || delete(remove)),
    Operation::get("/inboxes/{inbox}/threads/{thread}", READERS, || get(thread)),
];

/// Messages of one answer, unless asked otherwise.
const LIMIT: u64 = 50;
/// Most messages of one answer.
const MAX_LIMIT: u64 = 100;
/// Most messages of a thread that are shown: the newest.
const MAX_THREAD: usize = 200;
/// Records looked at together.
const PAGE: usize = 500;
/// How much of each text is shown in a list, and of a message by itself; octets as stored.
const TEXT_IN_LIST: u64 = 64 << 10;
const TEXT_ALONE: u64 = 4 << 20;
/// How often a message is looked for again that moved while it was read.
const LOOKS: usize = 3;

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Result<Asked, ApiError>,
) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let asked = asked?;
    let (limit, offset) = (
        asked.number("limit", 1, LIMIT)?.min(MAX_LIMIT),
        asked.number("offset", 0, 0)?,
    );
    let outbound = match asked.text("direction")? {
        None => None,
        Some("inbound") => Some(false),
        Some("outbound") => Some(true),
        Some(_) => return Err(invalid("direction is inbound or outbound")),
    };
    let mailstore = state.mailstore();
    let roles = roles(mailstore, inbox).await?;
    let (mut total, mut window, mut before) = (0_u64, Vec::new(), None);
    loop {
        let page = mailstore.messages(inbox, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.email_id);
        for record in page {
            if roles.shows(&record) && outbound.is_none_or(|outbound| outbound == roles.is_outbound(&record)) {
                if total >= offset && total - offset < limit {
                    window.push(record);
                }
                total += 1;
            }
        }
    }
    let messages = views(mailstore, inbox, &roles, window, TEXT_IN_LIST).await?;
    Ok(Json(json!({
        "messages": messages,
        "pagination": { "total": total, "limit": limit, "offset": offset },
    })))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<MessageView>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    one(state.mailstore(), inbox, path.id("message")?).await.map(Json)
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    fields: Result<Fields, ApiError>,
) -> Result<Json<MessageView>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let id = path.id("message")?;
    let mut fields = fields?;
    let (read, starred) = (fields.flag("isRead")?, fields.flag("isStarred")?);
    let archived = fields.flag("isArchived")?;
    let mailstore = state.mailstore();
    let roles = roles(mailstore, inbox).await?;
    find(mailstore, inbox, &roles, id).await?;
    for (flag, wanted) in [(Flag::Seen, read), (Flag::Flagged, starred)] {
        let Some(wanted) = wanted else { continue };
        let mode = if wanted { FlagMode::Add } else { FlagMode::Remove };
        let flags = MessageFlags::system(Flags::NONE.with(flag));
        if !mailstore.store_message_flags(inbox, id, mode, &flags).await? {
            return Err(ApiError::NotFound);
        }
    }
    if let Some(archived) = archived {
        archive(mailstore, inbox, &roles, id, archived).await?;
    }
    one(mailstore, inbox, id).await.map(Json)
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let id: EmailId = path.id("message")?;
    let mailstore = state.mailstore();
    let roles = roles(mailstore, inbox).await?;
    let record = find(mailstore, inbox, &roles, id).await?;
    let trash = roles.trash.ok_or(MailError::NoSuchMailbox)?;
    relocate(mailstore, inbox, &record, |mailbox| mailbox != trash, trash).await?;
    Ok(Json(json!({ "deleted": true, "id": id.to_string() })))
}

async fn thread(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Json<Value>, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let thread: ThreadId = path.id("thread")?;
    let mailstore = state.mailstore();
    let roles = roles(mailstore, inbox).await?;
    let mut records = Vec::new();
    for id in mailstore.thread(inbox, thread).await? {
        records.extend(mailstore.message(inbox, id).await?.filter(|record| roles.shows(record)));
    }
    if records.is_empty() {
        return Err(ApiError::NotFound);
    }
    let count = records.len();
    let newest = records.split_off(count.saturating_sub(MAX_THREAD));
    let messages = views(mailstore, inbox, &roles, newest, TEXT_IN_LIST).await?;
    Ok(Json(
        json!({ "threadId": thread.to_string(), "messageCount": count, "messages": messages }),
    ))
}

async fn roles(mailstore: &Mailstore, inbox: InboxId) -> Result<Roles, ApiError> {
    let mailboxes = mailstore.mailboxes(inbox).await?;
    let with = |role| {
        mailboxes
            .iter()
            .find(|mailbox| mailbox.special_use == Some(role))
            .map(|mailbox| mailbox.id)
    };
    let main = mailboxes
        .iter()
        .find(|mailbox| mailbox.name.eq_ignore_ascii_case("INBOX"));
    let blocked = mailboxes.iter().find(|mailbox| mailbox.label == Some("blocked"));
    Ok(Roles {
        inbox: main.ok_or(MailError::NoSuchMailbox)?.id,
        archive: with(SpecialUse::Archive),
        blocked: blocked.map(|mailbox| mailbox.id),
        drafts: with(SpecialUse::Drafts),
        junk: with(SpecialUse::Junk),
        sent: with(SpecialUse::Sent),
        trash: with(SpecialUse::Trash),
    })
}

async fn find(mailstore: &Mailstore, inbox: InboxId, roles: &Roles, id: EmailId) -> Result<MessageRecord, ApiError> {
    let record = mailstore.message(inbox, id).await?.filter(|record| roles.shows(record));
    record.ok_or(ApiError::NotFound)
}

async fn one(mailstore: &Mailstore, inbox: InboxId, id: EmailId) -> Result<MessageView, ApiError> {
    let roles = roles(mailstore, inbox).await?;
    let record = find(mailstore, inbox, &roles, id).await?;
    let shown = views(mailstore, inbox, &roles, vec![record], TEXT_ALONE).await?;
    shown.into_iter().next().ok_or(ApiError::NotFound)
}

/// A message with what is known of it.
pub(super) struct Found {
    pub(super) record: MessageRecord,
    pub(super) summary: Summary,
    /// Whether the inbox sent it.
    pub(super) outbound: bool,
}

/// A message that the dialect shows, to be answered or passed on.
pub(super) async fn found(mailstore: &Mailstore, inbox: InboxId, id: EmailId) -> Result<Found, ApiError> {
    let roles = roles(mailstore, inbox).await?;
    for _ in 0..LOOKS {
        let record = find(mailstore, inbox, &roles, id).await?;
        let mut known = look(mailstore, inbox, std::iter::once(&record)).await?;
        // Otherwise it was moved between the two reads.
        if let Some((summary, _)) = known.remove(&id) {
            let outbound = roles.is_outbound(&record);
            return Ok(Found {
                record,
                summary,
                outbound,
            });
        }
    }
    Err(ApiError::NotFound)
}

/// Into the archive, or from there back to where a message of its kind belongs.
async fn archive(
    mailstore: &Mailstore,
    inbox: InboxId,
    roles: &Roles,
    id: EmailId,
    archived: bool,
) -> Result<(), ApiError> {
    let record = find(mailstore, inbox, roles, id).await?;
    let archive = roles.archive.ok_or(MailError::NoSuchMailbox)?;
    if archived {
        let from = |mailbox| mailbox != archive && Some(mailbox) != roles.trash;
        return relocate(mailstore, inbox, &record, from, archive).await;
    }
    let back = if roles.is_outbound(&record) {
        roles.sent.unwrap_or(roles.inbox)
    } else {
        roles.inbox
    };
    relocate(mailstore, inbox, &record, |mailbox| mailbox == archive, back).await
}

/// Moves a message's placements in some mailboxes to another one.
async fn relocate(
    mailstore: &Mailstore,
    inbox: InboxId,
    record: &MessageRecord,
    from: impl Fn(MailboxId) -> bool,
    to: MailboxId,
) -> Result<(), ApiError> {
    for (mailbox, uid) in record.placements.iter().filter(|(mailbox, _)| from(*mailbox)) {
        mailstore.move_messages(inbox, *mailbox, &[*uid], to).await?;
    }
    Ok(())
}

/// The records as they are shown, in their order. One that is gone by now is left out.
async fn views(
    mailstore: &Mailstore,
    inbox: InboxId,
    roles: &Roles,
    mut records: Vec<MessageRecord>,
    text_octets: u64,
) -> Result<Vec<MessageView>, ApiError> {
    let mut known = HashMap::new();
    for _ in 0..LOOKS {
        known.extend(
            look(
                mailstore,
                inbox,
                records.iter().filter(|record| !known.contains_key(&record.email_id)),
            )
            .await?,
        );
        for record in &mut records {
            // Moved between two reads: its placements are others now.
            if !known.contains_key(&record.email_id)
                && let Some(again) = mailstore.message(inbox, record.email_id).await?
            {
                *record = again;
            }
        }
    }
    let mut shown = Vec::with_capacity(records.len());
    for record in records {
        let Some((summary, flags)) = known.remove(&record.email_id) else {
            continue;
        };
        let texts = match texts::read(mailstore, &record.content, &summary.root, text_octets).await {
            Ok(texts) => texts,
            Err(ApiError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        shown.push(MessageView::new(&record, &summary, texts, flags, roles));
    }
    Ok(shown)
}

/// Summaries and flags, read mailbox by mailbox. A flag that any placement has counts for the message.
async fn look(
    mailstore: &Mailstore,
    inbox: InboxId,
    records: impl Iterator<Item = &MessageRecord>,
) -> Result<HashMap<EmailId, (Summary, Flags)>, ApiError> {
    let mut by_mailbox: BTreeMap<MailboxId, BTreeMap<Uid, EmailId>> = BTreeMap::new();
    for record in records {
        for (mailbox, uid) in &record.placements {
            by_mailbox.entry(*mailbox).or_default().insert(*uid, record.email_id);
        }
    }
    let mut known: HashMap<EmailId, (Summary, Flags)> = HashMap::new();
    for (mailbox, placed) in by_mailbox {
        let uids: Vec<Uid> = placed.keys().copied().collect();
        let flags = mailstore.flags(inbox, mailbox, &uids).await?;
        let mut flags: HashMap<Uid, Flags> = flags.into_iter().map(|(uid, flags, _)| (uid, flags.system)).collect();
        for meta in mailstore.metadata(inbox, mailbox, &uids, true).await? {
            let (Some(summary), Some(flags)) = (meta.summary, flags.remove(&meta.uid)) else {
                continue;
            };
            let entry = known.entry(meta.email_id).or_insert((summary, Flags::NONE));
            entry.1 = entry.1.union(flags);
        }
    }
    Ok(known)
}
