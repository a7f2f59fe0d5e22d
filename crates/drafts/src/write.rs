//! Making and changing drafts.

use crate::answering::audience;
use crate::content::{id_of, letter_of, message_of};
use crate::labels::{flags_of, folded, labels_after, relabelled};
use crate::letter::{Context, Letter};
use crate::read::{Found, LOOKS};
use crate::row::{self, DraftRow, How, Refers};
use crate::{Draft, DraftChange, DraftError, DraftId, Drafts, NewDraft, NewKind, Source};
use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_mailstore::{MailError, MailboxRef, NewMessage, Origin, Placing, ThreadChoice};
use postroom_store::CommitBuilder;
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, MessageFlags, SpecialUse};
use std::sync::Arc;

/// Most octets of a header section that are read to answer a message: its references are not at the end of more.
const MAX_HEADER_OCTETS: u64 = 256 << 10;
/// How far in the past a time may lie that a draft is to go at: the clock of who set it may be wrong by that much.
const PAST_MS: i64 = 60_000;

impl Drafts {
    /// Makes a draft, durable on return; or finds the one that was made under the same client id.
    ///
    /// # Errors
    /// [`DraftError::Invalid`], [`DraftError::NoSuchSource`], [`DraftError::Compose`]; [`DraftError::Mail`] (over quota,
    /// too big, out of space); [`DraftError::Unavailable`].
    pub async fn create(&self, inbox: &InboxRecord, new: NewDraft) -> Result<Draft, DraftError> {
        if let Some(there) = self.named_by_client(inbox.id, new.client_id.as_deref()).await? {
            return Ok(there);
        }
        self.check_time(new.send_at)?;
        let flags = relabelled(
            &MessageFlags::system(Flags::NONE.with(Flag::Draft).with(Flag::Seen)),
            &new.labels,
            &[],
        )?;
        let (letter, context, refers) = self.begun(inbox, &new).await?;
        let now_ms = self.now_ms();
        let message = message_of(inbox, letter, context, None, now_ms)?;
        let placing = placing(inbox.id, flags, now_ms, ThreadChoice::Find);
        let id = id_of(&message.summary, placing.email_id);
        let row = DraftRow {
            labels: folded(&new.labels),
            client_id: new.client_id.clone(),
            refers,
            send_at: new.send_at,
            ..DraftRow::new(placing.email_id, now_ms)
        };
        for _ in 0..LOOKS {
            let mut builder = CommitBuilder::new();
            row::put(&mut builder, (inbox.id, id), None, &row)?;
            if let Some(client_id) = &row.client_id {
                let key = row::client_key(inbox.id, client_id);
                match self.store().get(&key).await? {
                    None => builder.put_new(key, row::id_value(id)),
                    Some(old) => builder.replace(key, old, row::id_value(id)),
                };
            }
            match self
                .mailstore
                .deliver_with(&message, vec![placing.clone()], &builder)
                .await
            {
                Ok(_) => {}
                // Perhaps since an earlier try was done after all.
                Err(MailError::Conflict(_) | MailError::Unavailable) => {
                    if self.mailstore.message(inbox.id, placing.email_id).await?.is_none() {
                        if let Some(there) = self.named_by_client(inbox.id, row.client_id.as_deref()).await? {
                            return Ok(there);
                        }
                        continue;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            // Read first: what is due at once may be gone when somebody looks at it.
            let draft = self.get(inbox.id, id).await;
            self.scheduled.notify_one();
            return draft;
        }
        Err(DraftError::Unavailable)
    }

    /// Changes a draft, durable on return. Its id stays, unless it has no Message-ID: then it gets one, and its id with
    /// it.
    ///
    /// # Errors
    /// [`DraftError::NotFound`], [`DraftError::BeingSent`]; those of [`create`](Self::create).
    pub async fn update(&self, inbox: &InboxRecord, id: DraftId, change: &DraftChange) -> Result<Draft, DraftError> {
        self.check_time(change.send_at.flatten())?;
        for _ in 0..LOOKS {
            if self.claims.holds(inbox.id, id) {
                return Err(DraftError::BeingSent);
            }
            let Found { draft, stored } = self.found(inbox.id, id).await?;
            let message = self.rewritten(inbox, &draft, change).await?;
            let mut flags = relabelled(&flags_of(&draft), &change.add_labels, &change.remove_labels)?;
            flags.system = flags.system.with(Flag::Draft).with(Flag::Seen);
            let thread = ThreadChoice::Given(draft.record.message.thread_id);
            let placing = placing(inbox.id, flags, message.received_at, thread);
            let (version, new_id) = (placing.email_id, id_of(&message.summary, placing.email_id));
            let old = stored.as_ref().filter(|stored| stored.row.sent.is_none());
            let mut row = old.map_or_else(|| DraftRow::new(version, draft.created_at), |stored| stored.row.clone());
            row.version = version;
            row.labels = labels_after(&draft.labels, change);
            if let Some(send_at) = change.send_at {
                (row.send_at, row.failed) = (send_at, None);
            }
            let mut builder = CommitBuilder::new();
            if new_id == id {
                row::put(&mut builder, (inbox.id, id), stored.as_ref(), &row)?;
            } else {
                row::put(&mut builder, (inbox.id, new_id), None, &row)?;
                if let Some(stored) = &stored {
                    row::remove(&mut builder, (inbox.id, id), stored);
                }
            }
            let replaces = (draft.record.mailbox, draft.record.uid);
            match self.mailstore.replace_with(&message, placing, replaces, &builder).await {
                Ok(_) => {
                    let draft = self.get(inbox.id, new_id).await;
                    self.scheduled.notify_one();
                    return draft;
                }
                // Somebody else was faster: decided anew on what is there now.
                Err(MailError::Conflict(_) | MailError::NoSuchMessage) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(DraftError::Unavailable)
    }

    async fn named_by_client(&self, inbox: InboxId, client_id: Option<&str>) -> Result<Option<Draft>, DraftError> {
        let Some(client_id) = client_id else { return Ok(None) };
        let Some(value) = self.store().get(&row::client_key(inbox, client_id)).await? else {
            return Ok(None);
        };
        match self.get(inbox, row::read_id(&value)?).await {
            Ok(draft) => Ok(Some(draft)),
            Err(DraftError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn check_time(&self, send_at: Option<i64>) -> Result<(), DraftError> {
        match send_at {
            Some(at) if at < self.now_ms() - PAST_MS => Err(invalid("send_at lies in the past")),
            _ => Ok(()),
        }
    }

    /// What a new draft says before anybody changes it.
    async fn begun(
        &self,
        inbox: &InboxRecord,
        new: &NewDraft,
    ) -> Result<(Letter, Context, Option<Refers>), DraftError> {
        let given = new.letter.clone();
        let mut letter = Letter::default();
        let (of, how) = match new.kind {
            NewKind::Message => {
                given.put_into(&mut letter);
                return Ok((letter, Context::new_thread(), None));
            }
            NewKind::Reply { of, all: false } => (of, How::Reply),
            NewKind::Reply { of, all: true } => (of, How::ReplyAll),
            NewKind::Forward { of } => (of, How::Forward),
        };
        if how == How::ReplyAll && (given.to.is_some() || given.cc.is_some() || given.bcc.is_some()) {
            return Err(whom_is_settled());
        }
        let source = self.source(inbox.id, of, MAX_HEADER_OCTETS).await?;
        let context = match how {
            How::Forward => {
                letter.subject = source.forward_subject();
                source.passing_on()
            }
            How::Reply | How::ReplyAll => {
                let audience = audience(inbox, &source.summary.envelope, source.outbound, how == How::ReplyAll);
                (letter.to, letter.cc) = (audience.to, audience.cc);
                letter.subject = source.reply_subject();
                source.answer()
            }
        };
        given.put_into(&mut letter);
        Ok((letter, context, Some(refers(&source, how))))
    }

    /// The message that a draft becomes. What nobody asked to change stays as it was saved, octet by octet.
    async fn rewritten(
        &self,
        inbox: &InboxRecord,
        draft: &Draft,
        change: &DraftChange,
    ) -> Result<NewMessage, DraftError> {
        let readdressed = change.letter.to.is_some() || change.letter.cc.is_some() || change.letter.bcc.is_some();
        if draft.reply_all && readdressed {
            return Err(whom_is_settled());
        }
        let content = self.content(draft).await?;
        let message_id = draft.summary.message_id.as_deref();
        if change.letter.is_empty() && change.remove_attachments.is_empty() {
            return Ok(as_it_was(draft, content, self.now_ms()));
        }
        if !change.remove_attachments.is_empty() && change.version.is_some_and(|version| version != draft.email_id()) {
            // Somebody else was faster, and the places may be others now.
            return Err(DraftError::Unavailable);
        }
        let there = postroom_message::attachments(&draft.summary.root);
        let is_there = |place: &usize| there.iter().any(|attachment| attachment.index == *place);
        if !change.remove_attachments.iter().all(is_there) {
            return Err(invalid("remove_attachments names one that the draft does not have"));
        }
        let (mut letter, context) = letter_of(draft, &content, &change.remove_attachments);
        change.letter.clone().put_into(&mut letter);
        message_of(inbox, letter, context, message_id, self.now_ms())
    }
}

fn as_it_was(draft: &Draft, content: Bytes, now_ms: i64) -> NewMessage {
    NewMessage {
        body: content,
        prefix: Vec::new(),
        summary: Arc::new(draft.summary.clone()),
        origin: Origin::Draft,
        received_at: now_ms,
        verdict: Vec::new(),
        shared_body: None,
    }
}

fn placing(inbox: InboxId, flags: MessageFlags, now_ms: i64, thread: ThreadChoice) -> Placing {
    Placing {
        inbox,
        mailbox: MailboxRef::Special(SpecialUse::Drafts),
        email_id: EmailId::new(),
        flags,
        internal_date: InternalDate::utc(now_ms.div_euclid(1000)),
        thread,
        announce: None,
    }
}

fn refers(source: &Source, how: How) -> Refers {
    Refers {
        to: source.email_id,
        message_id: source.summary.message_id.clone(),
        how,
    }
}

fn invalid(text: &str) -> DraftError {
    DraftError::Invalid(text.to_owned())
}

fn whom_is_settled() -> DraftError {
    invalid("reply_all settles to, cc and bcc")
}
