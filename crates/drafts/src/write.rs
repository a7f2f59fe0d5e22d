//! Making and changing drafts.

use crate::answering::audience;
use crate::client_id::ClientId;
use crate::content::{id_of, letter_of, message_of};
use crate::labels::{flags_of, folded, labels_after, relabelled};
use crate::letter::{Context, Letter};
use crate::read::{Found, LOOKS};
use crate::row::{self, DraftRow, How, Refers};
use crate::version::check_generation;
use crate::{Draft, DraftChange, DraftError, DraftId, Drafts, GivenContext, NewDraft, NewKind, Passing, Source};
use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_intake::SubmitError;
use postroom_mailstore::{MailError, MailboxRef, NewMessage, Origin, Placing, ThreadChoice};
use postroom_store::CommitBuilder;
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, MessageFlags, SpecialUse};
use std::sync::Arc;

/// Most octets of a header section that are read to answer a message: its references are not at the end of more.
const MAX_HEADER_OCTETS: u64 = 256 << 10;
/// How far in the past a time may lie that a draft is to go at: the clock of who set it may be wrong by that much.
const PAST_MS: i64 = 60_000;

/// Longest Message-ID of a message answered or passed on that a row keeps, in octets; none that a client can use is longer
/// (RFC 5322 §2.1.1).
const MAX_MESSAGE_ID_OCTETS: usize = 998;

impl Drafts {
    /// Makes a draft, durable on return; or finds the one that was made under the same client id.
    ///
    /// # Errors
    /// [`DraftError::Invalid`], [`DraftError::NoSuchSource`], [`DraftError::Compose`]; [`DraftError::AlreadySent`]: within
    /// the last day; [`DraftError::Mail`] (over quota, too big, out of space); [`DraftError::Unavailable`].
    pub async fn create(&self, inbox: &InboxRecord, new: NewDraft) -> Result<Draft, DraftError> {
        if let ClientId::Draft(there) = self.named_by_client(inbox.id, new.client_id.as_deref()).await? {
            return Ok(*there);
        }
        self.check_time(new.send_at)?;
        if !self.identity.has_storage(inbox.organization).await? {
            return Err(SubmitError::StorageLimit.into());
        }
        let flags = relabelled(
            &MessageFlags::system(Flags::NONE.with(Flag::Draft).with(Flag::Seen)),
            &new.labels,
            &[],
        )?;
        let (letter, mut context, refers) = self.begun(inbox, &new).await?;
        put_into(&new.context, &mut context);
        let now_ms = self.now_ms();
        let message = message_of(inbox, letter, context, None, now_ms)?;
        let thread = new.context.thread.flatten();
        let in_thread = thread.map_or(ThreadChoice::Find, ThreadChoice::Given);
        let placing = placing(inbox.id, flags, now_ms, in_thread);
        let id = id_of(&message.summary, placing.email_id);
        let row = DraftRow {
            labels: folded(&new.labels),
            client_id: new.client_id.clone(),
            request: new.request.clone(),
            refers,
            thread,
            send_at: new.send_at,
            ..DraftRow::new(placing.email_id, now_ms)
        };
        row.check_room()?;
        for _ in 0..LOOKS {
            let mut builder = CommitBuilder::new();
            row::put(&mut builder, (inbox.id, id), None, &row)?;
            match self.named_by_client(inbox.id, row.client_id.as_deref()).await? {
                ClientId::NotGiven => {}
                ClientId::Draft(there) => return Ok(*there),
                ClientId::Free { key, old: None } => {
                    builder.put_new(key, row::id_value(id));
                }
                ClientId::Free { key, old: Some(old) } => {
                    builder.replace(key, old, row::id_value(id));
                }
            }
            match self
                .mailstore
                .deliver_with(&message, vec![placing.clone()], &builder)
                .await
            {
                Ok(_) => {}
                // Perhaps since an earlier try was done after all; what was due at once may even be sent by now.
                Err(MailError::Conflict(_) | MailError::Unavailable) => {
                    if self.mailstore.message(inbox.id, placing.email_id).await?.is_none() {
                        self.check_not_sent(inbox.id, id).await?;
                        continue;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            self.identity.note_stored(inbox.organization, message.octets());
            // Read first: what is due at once may be gone when somebody looks at it.
            let draft = self.get(inbox.id, id).await;
            self.scheduled.notify_one();
            if matches!(draft, Err(DraftError::NotFound)) {
                self.check_not_sent(inbox.id, id).await?;
            }
            return draft;
        }
        Err(DraftError::Unavailable)
    }

    /// Changes a draft, durable on return. Its id stays, unless it has no Message-ID: then it gets one, and its id with
    /// it.
    ///
    /// # Errors
    /// [`DraftError::NotFound`], [`DraftError::Stale`], [`DraftError::BeingSent`]; those of [`create`](Self::create).
    pub async fn update(&self, inbox: &InboxRecord, id: DraftId, change: &DraftChange) -> Result<Draft, DraftError> {
        self.check_time(change.send_at.flatten())?;
        for _ in 0..LOOKS {
            if self.claims.holds(inbox.id, id) {
                return Err(DraftError::BeingSent);
            }
            let Found { draft, stored } = self.found(inbox.id, id).await?;
            check_generation(&draft, change.generation)?;
            if stored.as_ref().is_some_and(|stored| stored.row.is_to_be_cleared()) {
                // While its row says so, the version that was sent is none; this change would let it be one again.
                self.finish(inbox.id, id).await?;
                continue;
            }
            let message = self.rewritten(inbox, &draft, change).await?;
            // One that does not grow may be changed however full it is.
            let grown = message.octets().saturating_sub(draft.record.message.size_octets());
            if grown > 0 && !self.identity.has_storage(inbox.organization).await? {
                return Err(SubmitError::StorageLimit.into());
            }
            let mut flags = relabelled(&flags_of(&draft), &change.add_labels, &change.remove_labels)?;
            flags.system = flags.system.with(Flag::Draft).with(Flag::Seen);
            let thread = change
                .context
                .thread
                .flatten()
                .unwrap_or(draft.record.message.thread_id);
            let thread = ThreadChoice::Given(thread);
            let placing = placing(inbox.id, flags, message.received_at, thread);
            let (version, new_id) = (placing.email_id, id_of(&message.summary, placing.email_id));
            let mut row = match stored.as_ref().map(|stored| &stored.row) {
                None => DraftRow::new(version, draft.created_at),
                Some(row) if row.sent.is_some() => row.renewed(version, draft.created_at),
                Some(row) => row.clone(),
            };
            row.version = version;
            row.labels = labels_after(&draft.labels, change);
            if let Some(thread) = change.context.thread {
                row.thread = thread;
            }
            if change.context.in_reply_to.is_some() && !row.is_forward() {
                // What it answered it does not answer any more.
                row.refers = None;
            }
            if let Some(send_at) = change.send_at {
                (row.send_at, row.failed, row.retry_at) = (send_at, None, None);
            }
            // One that an older server filled up may be changed as long as it does not grow.
            if stored.as_ref().is_none_or(|stored| row.is_longer_than(stored)) {
                row.check_room()?;
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
                    self.identity.note_stored(inbox.organization, grown);
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
                match new.passing.new_thread {
                    true => Context::new_thread(),
                    false => source.passing_on(),
                }
            }
            How::Reply | How::ReplyAll => {
                let audience = audience(inbox, &source.summary.envelope, source.outbound, how == How::ReplyAll);
                (letter.to, letter.cc) = (audience.to, audience.cc);
                letter.subject = source.reply_subject();
                source.answer()
            }
        };
        given.put_into(&mut letter);
        Ok((letter, context, Some(refers(&source, how, new.passing))))
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
        let answers_the_same = change.context.in_reply_to.is_none() && change.context.references.is_none();
        if change.letter.is_empty() && change.remove_attachments.is_empty() && answers_the_same {
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
        let (mut letter, mut context) = letter_of(draft, &content, &change.remove_attachments);
        change.letter.clone().put_into(&mut letter);
        put_into(&change.context, &mut context);
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

fn refers(source: &Source, how: How, passing: Passing) -> Refers {
    Refers {
        to: source.email_id,
        message_id: source
            .summary
            .message_id
            .clone()
            .filter(|id| id.len() <= MAX_MESSAGE_ID_OCTETS),
        how,
        passing,
    }
}

fn put_into(given: &GivenContext, context: &mut Context) {
    if let Some(in_reply_to) = &given.in_reply_to {
        context.in_reply_to = in_reply_to.clone();
    }
    if let Some(references) = &given.references {
        context.references = references.clone();
    }
}

fn invalid(text: &str) -> DraftError {
    DraftError::Invalid(text.to_owned())
}

fn whom_is_settled() -> DraftError {
    invalid("reply_all settles to, cc and bcc")
}
