//! Sending a draft.

use crate::labels::{flags_of, relabelled};
use crate::letter::auto_submitted;
use crate::mailboxes::of;
use crate::read::{Found, LOOKS};
use crate::row::{self, DraftRow, How, Refers, SentAs};
use crate::version::check_generation;
use crate::{Context, Draft, DraftError, DraftId, Drafts, Letter, Passing, Sending, Written, content, signature};
use bytes::Bytes;
use postroom_identity::{InboxRecord, Signature};
use postroom_intake::{Alongside, Submission, SubmitError, Submitted, Via};
use postroom_mailstore::{MailError, ThreadChoice};
use postroom_message::{fields, remove_fields};
use postroom_store::CommitBuilder;
use postroom_types::{EmailId, InboxId, ReversePath, ThreadId, Uid};

/// Fields by which mail programs note things to themselves.
const PRIVATE_FIELDS: [&str; 3] = ["X-Identity-Key", "X-Account-Key", "FCC"];

/// How long it is known that a draft was sent: as long as a client may repeat the request that made it.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;

impl Drafts {
    /// Sends a draft. On return it is taken, durably, and the draft is gone.
    ///
    /// What a mail program saves as a newer version while this one is being taken stays as a draft.
    ///
    /// # Errors
    /// [`DraftError::NotFound`], [`DraftError::Stale`], [`DraftError::BeingSent`], [`DraftError::NoSuchSource`],
    /// [`DraftError::Invalid`],
    /// [`DraftError::Compose`], [`DraftError::Submit`]: the draft is as it was. [`DraftError::Unavailable`]; those of the
    /// store.
    pub async fn send(&self, inbox: &InboxRecord, id: DraftId, how: &Sending) -> Result<Submitted, DraftError> {
        self.send_if(inbox, id, how, |_| true).await
    }

    /// Sends a draft as long as its row is as the caller wants it.
    pub(crate) async fn send_if(
        &self,
        inbox: &InboxRecord,
        id: DraftId,
        how: &Sending,
        wanted: impl Fn(Option<&DraftRow>) -> bool,
    ) -> Result<Submitted, DraftError> {
        let _claim = self.claims.take(inbox.id, id).ok_or(DraftError::BeingSent)?;
        for _ in 0..LOOKS {
            let found = self.found(inbox.id, id).await?;
            let row = found.stored.as_ref().map(|stored| &stored.row);
            if !wanted(row) {
                return Err(DraftError::NotFound);
            }
            check_generation(&found.draft, how.generation)?;
            if row.is_some_and(DraftRow::is_to_be_cleared) {
                // While its row says so, the version that was sent is none; sending another would let it be one again.
                self.finish(inbox.id, id).await?;
                continue;
            }
            let (written, alongside) = self.outgoing(inbox, &found, how).await?;
            let submission = Submission {
                inbox: inbox.clone(),
                via: Via::Api,
                reverse_path: ReversePath::Mailbox(inbox.primary.clone()),
                recipients: written.recipients,
                content: written.content,
                thread: written.thread,
                idempotency: how.idempotency.clone(),
                answers: written.answers,
            };
            match self.intake.submit_with(submission, alongside).await {
                Ok(submitted) => {
                    // What is left of it is found by whoever looks after what is due.
                    if let Err(error) = self.finish(inbox.id, id).await {
                        tracing::warn!(inbox = %inbox.id, draft = %id, %error, "a draft that was sent is still there");
                    }
                    return Ok(submitted);
                }
                // Changed meanwhile, or sent.
                Err(SubmitError::Conflict) => {}
                Err(SubmitError::Unavailable) => return Err(DraftError::Unavailable),
                Err(error) => return Err(error.into()),
            }
        }
        Err(DraftError::Unavailable)
    }

    /// Clears away a version that was sent, and of its row what need not be known any more.
    pub(crate) async fn finish(&self, inbox: InboxId, id: DraftId) -> Result<(), DraftError> {
        let Some(stored) = self.stored(inbox, id).await? else {
            return Ok(());
        };
        let Some(sent) = stored.row.sent else { return Ok(()) };
        if !stored.row.cleared {
            self.expunge_version(inbox, sent).await?;
        }
        self.forget(inbox, id, |row| row.sent == Some(sent)).await
    }

    async fn expunge_version(&self, inbox: InboxId, version: EmailId) -> Result<(), DraftError> {
        let Some(message) = self.mailstore.message(inbox, version).await? else {
            return Ok(());
        };
        for record in self.mailstore.drafts_named(inbox, version.as_bytes()).await? {
            let uids: [Uid; 1] = [record.uid];
            if message.placements.contains(&(record.mailbox, record.uid)) {
                match self.mailstore.expunge(inbox, record.mailbox, &uids, false).await {
                    Ok(_) | Err(MailError::NoSuchInbox(_) | MailError::NoSuchMailbox) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// The message as it goes out, and what the commit that takes it writes besides.
    async fn outgoing(
        &self,
        inbox: &InboxRecord,
        found: &Found,
        how: &Sending,
    ) -> Result<(Written, Alongside), DraftError> {
        let Found { draft, stored } = found;
        let content = self.content(draft).await?;
        let live = stored
            .as_ref()
            .map(|stored| &stored.row)
            .filter(|row| row.sent.is_none());
        let refers = live.and_then(|row| row.refers.as_ref());
        let forwards = refers.is_some_and(|refers| refers.how == How::Forward);
        let written = match refers {
            Some(refers) if forwards => self.passed_on(inbox, draft, &content, refers, &how.signature).await?,
            refers => {
                let thread = live.and_then(|row| row.thread);
                let content = signature::below_saved(&content, &draft.summary, &how.signature);
                self.as_saved(inbox, draft, &content, refers, thread).await?
            }
        };
        let keywords = relabelled(&flags_of(draft), &how.add_labels, &how.remove_labels)?.keywords;
        let row = match stored {
            Some(stored) => stored.row.clone(),
            None => DraftRow::new(draft.email_id(), draft.created_at),
        };
        let message = EmailId::new();
        let until = self.now_ms() + REMEMBERED_MS;
        let sent_as = SentAs {
            message,
            generation: draft.generation().get(),
            until,
        };
        let row = row.sent(draft.email_id(), sent_as);
        let mut commit = CommitBuilder::new();
        row::put(&mut commit, (draft.inbox, draft.id), stored.as_ref(), &row)?;
        Ok((
            written,
            Alongside {
                id: Some(message),
                keywords,
                bounces_unknown: true,
                forwards,
                commit,
            },
        ))
    }

    /// A draft as it was saved, but for what belongs to the saving: its date, its Message-ID, and notes of the mail program
    /// to itself.
    async fn as_saved(
        &self,
        inbox: &InboxRecord,
        draft: &Draft,
        content: &Bytes,
        refers: Option<&Refers>,
        thread: Option<ThreadId>,
    ) -> Result<Written, DraftError> {
        let envelope = &draft.summary.envelope;
        let letter = Letter {
            to: of(envelope.to.as_ref()),
            cc: of(envelope.cc.as_ref()),
            bcc: of(envelope.bcc.as_ref()),
            ..Letter::default()
        };
        let source = match refers {
            Some(refers) => self.mailstore.message(inbox.id, refers.to).await?,
            None => None,
        };
        let thread = source.as_ref().map(|source| source.thread_id).or(thread);
        let thread = thread.map_or(ThreadChoice::Find, ThreadChoice::Given);
        let is_answer = refers.is_some() || envelope.in_reply_to.is_some();
        Ok(Written {
            content: signed_off(inbox, content, auto_submitted(true, is_answer)),
            recipients: letter.recipients(),
            thread,
            answers: source.map(|source| source.email_id),
        })
    }

    /// A draft with the message that it passes on below its text.
    async fn passed_on(
        &self,
        inbox: &InboxRecord,
        draft: &Draft,
        content: &Bytes,
        refers: &Refers,
        signature: &Signature,
    ) -> Result<Written, DraftError> {
        let source = self.source(inbox.id, refers.to, u64::MAX).await?;
        let (letter, context) = content::letter_of(draft, content, &[]);
        let letter = letter.signed(signature);
        let Passing {
            wrapped,
            without_files,
            new_thread,
        } = refers.passing;
        let letter = Letter {
            automated: true,
            ..match (wrapped, without_files) {
                (true, _) => source.wrapped_in(letter),
                (false, false) => source.forwarded_in(letter),
                (false, true) => source.below(letter),
            }
        };
        let context = Context {
            thread: match new_thread {
                true => ThreadChoice::New,
                false => ThreadChoice::Given(source.thread_id),
            },
            in_reply_to: None,
            ..context
        };
        Ok(letter.write(inbox, context)?)
    }
}

/// A saved message as it goes out; intake gives it a date and a Message-ID.
fn signed_off(inbox: &InboxRecord, content: &Bytes, mark: Option<&'static str>) -> Bytes {
    let is = |name: &[u8], field: &str| name.eq_ignore_ascii_case(field.as_bytes());
    let content = remove_fields(content, |name, _| {
        let mozilla = name
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"X-Mozilla-"));
        let private = PRIVATE_FIELDS.iter().any(|field| is(name, field));
        is(name, "Date") || is(name, "Message-ID") || mozilla || private
    });
    let has = |field: &str| fields(&content).any(|found| found.is(field));
    let mut added = String::new();
    if !has("From") {
        added.push_str(&format!("From: {}\r\n", inbox.primary));
    }
    if let Some(mark) = mark.filter(|_| !has("Auto-Submitted")) {
        added.push_str(&format!("Auto-Submitted: {mark}\r\n"));
    }
    match added.is_empty() {
        true => content,
        false => [added.as_bytes(), &content].concat().into(),
    }
}
