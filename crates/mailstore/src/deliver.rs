//! The one door in: a message is stored, threaded, counted and announced in up to sixteen inboxes by one commit.
//!
//! What always holds: the message row, put under Absent, is the once-key, so a delivery repeated after an unknown
//! outcome finds its own row and stores nothing.

mod many;
mod plan;
mod write;

use crate::attempts::{Attempts, Tried};
use crate::keys;
use crate::labels::Told;
use crate::rows::{MessageRow, SummaryPlace, TextPlace};
use crate::{MAX_PLACINGS, MAX_PREFIX_OCTETS, MAX_VERDICT_OCTETS, MailError, Mailstore, NewMessage, Placed, Placing};
use bytes::Bytes;
use postroom_message::{RawMessage, search_octets};
use postroom_store::{CommitBuilder, Key, Value};
use postroom_types::{BlobId, EmailId, MailboxId, Part, ThreadId, Uid, UidValidity};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};

/// Bodies up to this size are stored in one blob with what stands before them, so that they are read together. A larger one
/// is not copied for that.
const JOINED_OCTETS: usize = 64 << 10;
/// Octets of text that are decoded while others wait.
const TEXT_IN_PLACE: u64 = 32 << 10;

/// What all inboxes of a delivery share.
struct Shared<'a> {
    message: &'a NewMessage,
    blob: BlobId,
    body_hash: [u8; 32],
    message_id: Option<[u8; 16]>,
    summary: SummaryPlace,
    summary_blob: Option<(BlobId, Vec<u8>)>,
    /// Where the search text is to be, and what it is; made when the message turns out to be new.
    text: OnceLock<(TextPlace, Option<Bytes>)>,
}

/// What is to be done in one inbox.
enum Plan {
    /// Nothing: it is there.
    There(Placed),
    /// A new message.
    New {
        mailbox: MailboxId,
        uid_validity: UidValidity,
        home: MailboxId,
        thread_id: ThreadId,
        /// No other message here has its Message-ID: the row that says so, of which there is one.
        name: Option<IndexChange>,
        /// Its Message-ID row otherwise.
        index: IndexChange,
        /// The inbox is full already.
        over_quota: bool,
    },
    /// One more placement of a message that is there.
    Another {
        mailbox: MailboxId,
        uid_validity: UidValidity,
        old: Value,
        row: Box<MessageRow>,
        email_id: EmailId,
        meta: Value,
        told: Told,
    },
}

impl Plan {
    /// Whether the message is there under the id asked for.
    fn is_done_by(&self, placing: &Placing) -> bool {
        matches!(self, Self::There(placed) if placed.email_id == placing.email_id)
    }
}

/// What an earlier part of the commit brings already.
struct Kept {
    body: bool,
    summary: bool,
    text: bool,
}

/// What becomes of a Message-ID row.
enum IndexChange {
    /// There is no Message-ID, or an older message keeps the row.
    Keep,
    Put(Key),
    Replace(Key, Value),
}

impl Mailstore {
    /// Delivers a message to at most [`MAX_PLACINGS`] different inboxes in one durable commit.
    ///
    /// A received message whose Message-ID and body are those of one that was received or sent within
    /// [`Options::duplicate_window`](crate::Options) is that message: received again, nothing is written, unless all its
    /// placements have `\Deleted` and would go with the next EXPUNGE: then it gets one more; received after it was sent, it
    /// gets one more placement too (a note to oneself). Any other origin makes a message of its own: who submits the same
    /// twice has sent two.
    ///
    /// # Errors
    /// Nothing was written: [`MailError::OverQuota`], [`MailError::NoSuchInbox`], [`MailError::NoSuchMailbox`],
    /// [`MailError::TooBig`], [`MailError::Limit`], [`MailError::Full`], [`MailError::Cannot`] (an inbox named twice).
    /// [`MailError::Unavailable`]: the outcome is unknown; the same `email_id` may be sent again and is stored once.
    pub async fn deliver(&self, message: &NewMessage, placings: Vec<Placing>) -> Result<Vec<Placed>, MailError> {
        self.deliver_with(message, placings, &CommitBuilder::new()).await
    }

    /// As [`deliver`](Self::deliver), in one commit with what the caller asks for, which is done also if the message is
    /// there already.
    ///
    /// # Errors
    /// Also [`MailError::Conflict`] with the key of the caller's condition that does not hold: then nothing was done now;
    /// after an earlier [`MailError::Unavailable`] it may say that all was done then.
    pub async fn deliver_with(
        &self,
        message: &NewMessage,
        placings: Vec<Placing>,
        with: &CommitBuilder,
    ) -> Result<Vec<Placed>, MailError> {
        check(message, &placings)?;
        let shared = Shared::new(message);
        let mut attempts = Attempts::new();
        let mut uncertain = false;
        loop {
            attempts.next().await?;
            let mut plans = Vec::with_capacity(placings.len());
            for placing in &placings {
                let mut plan = self.plan(&shared, placing).await?;
                match &mut plan {
                    // What is there under the id asked for was put there by this very call.
                    Plan::There(placed) => placed.duplicate &= !(uncertain && placed.email_id == placing.email_id),
                    Plan::New { over_quota: true, .. } => return Err(MailError::OverQuota(placing.inbox)),
                    Plan::New { .. } | Plan::Another { .. } => {}
                }
                plans.push(plan);
            }
            let is_done = plans
                .iter()
                .zip(&placings)
                .any(|(plan, placing)| plan.is_done_by(placing));
            let all_there = plans.iter().all(|plan| matches!(plan, Plan::There(_)));
            if all_there && (with.operations() == 0 || uncertain && is_done) {
                return Ok(placed(&placings, plans, &[], &[]));
            }
            let mut builder = with.clone();
            let mut operations = Vec::with_capacity(plans.len());
            let mut kept = Kept {
                body: message.shared_body.is_some(),
                summary: false,
                text: false,
            };
            if plans.iter().any(|plan| matches!(plan, Plan::New { .. })) {
                shared.prepare_text().await;
            }
            for (placing, plan) in placings.iter().zip(&plans) {
                let operation;
                (builder, operation) = self.add(builder, &shared, placing, plan, &mut kept)?;
                operations.push(operation);
            }
            match self.try_commit(builder.build()).await? {
                Tried::Done(receipt) => return Ok(placed(&placings, plans, &operations, &receipt.numbers)),
                Tried::Conflict(key) if !is_ours(&key) => return Err(MailError::Conflict(key)),
                Tried::Conflict(_) => {}
                Tried::Unknown => uncertain = true,
            }
        }
    }

    /// Whether the inbox has got this message already, even if all that it has of it has `\Deleted`. Two deliveries at the
    /// same moment may both hear that it has not.
    ///
    /// # Errors
    /// The store's own. What else is in the way of a delivery, that says itself.
    pub async fn has_duplicate(&self, message: &NewMessage, placing: &Placing) -> Result<bool, MailError> {
        match self.came_before(&Shared::new(message), placing).await {
            Err(MailError::NoSuchInbox(_) | MailError::NoSuchMailbox) => Ok(false),
            known => known,
        }
    }
}

impl<'a> Shared<'a> {
    /// How much of the blob is what stands before the body.
    fn joined_octets(&self) -> usize {
        let message = self.message;
        match message.shared_body.is_none() && message.body.len() <= JOINED_OCTETS {
            true => message.prefix.len(),
            false => 0,
        }
    }

    /// The prefix that its row keeps.
    fn prefix(&self) -> &[u8] {
        &self.message.prefix[self.joined_octets()..]
    }

    fn blob_bytes(&self) -> Bytes {
        let NewMessage { prefix, body, .. } = self.message;
        match self.joined_octets() {
            0 => body.clone(),
            joined => [&prefix[..joined], body].concat().into(),
        }
    }

    fn new(message: &'a NewMessage) -> Self {
        let (summary, summary_blob) = SummaryPlace::of(&message.summary);
        Self {
            message,
            blob: message.shared_body.unwrap_or_else(BlobId::new),
            body_hash: Sha256::digest(&message.body).into(),
            message_id: message.summary.message_id.as_deref().map(message_id_hash),
            summary,
            summary_blob,
            text: OnceLock::new(),
        }
    }

    /// Makes the search text where others do not wait for it, if it is long.
    async fn prepare_text(&self) {
        let message = self.message;
        if self.text.get().is_some() || search_octets(&message.summary.root) <= TEXT_IN_PLACE {
            return;
        }
        let (prefix, body) = (message.prefix.clone(), message.body.clone());
        let summary = Arc::clone(&message.summary);
        let make = move || text_of(&prefix, &body, &summary.root);
        // A text that cannot be made is decoded when it is searched.
        let made = tokio::task::spawn_blocking(make).await;
        self.text.get_or_init(|| made.unwrap_or((TextPlace::Nowhere, None)));
    }

    fn text(&self) -> &(TextPlace, Option<Bytes>) {
        let NewMessage {
            prefix, body, summary, ..
        } = self.message;
        self.text.get_or_init(|| text_of(prefix, body, &summary.root))
    }
}

fn text_of(prefix: &[u8], body: &[u8], root: &Part) -> (TextPlace, Option<Bytes>) {
    let (place, text) = TextPlace::of(RawMessage { prefix, body }, root);
    (place, text.map(Bytes::from))
}

/// Hash of a Message-ID without angle brackets, as it stands in keys.
pub(crate) fn message_id_hash(message_id: &str) -> [u8; 16] {
    keys::short_hash(message_id.as_bytes())
}

fn check(message: &NewMessage, placings: &[Placing]) -> Result<(), MailError> {
    if message.prefix.len() > MAX_PREFIX_OCTETS
        || message.verdict.len() > MAX_VERDICT_OCTETS
        || u32::try_from(message.body.len()).is_err()
    {
        return Err(MailError::TooBig);
    }
    if placings.len() > MAX_PLACINGS {
        return Err(MailError::Limit("too many inboxes"));
    }
    for (index, placing) in placings.iter().enumerate() {
        crate::flags::check_keywords(&placing.flags)?;
        if placings[..index].iter().any(|other| other.inbox == placing.inbox) {
            return Err(MailError::Cannot("an inbox is named twice"));
        }
    }
    Ok(())
}

fn placed(placings: &[Placing], plans: Vec<Plan>, operations: &[usize], numbers: &[u64]) -> Vec<Placed> {
    let uid = |index: usize| to_uid(operations.get(index).map_or(0, |operation| numbers[*operation]));
    let place = |(index, (placing, plan)): (usize, (&Placing, Plan))| match plan {
        Plan::There(placed) => placed,
        Plan::New {
            mailbox,
            uid_validity,
            thread_id,
            ..
        } => Placed {
            inbox: placing.inbox,
            mailbox,
            uid_validity,
            uid: uid(index),
            email_id: placing.email_id,
            thread_id,
            duplicate: false,
        },
        Plan::Another {
            mailbox,
            uid_validity,
            row,
            email_id,
            ..
        } => Placed {
            inbox: placing.inbox,
            mailbox,
            uid_validity,
            uid: uid(index),
            email_id,
            thread_id: row.thread_id,
            duplicate: true,
        },
    };
    placings.iter().zip(plans).enumerate().map(place).collect()
}

/// A UID that the store patched in. None lies beyond 32 bits: that many messages no mailbox sees in its life.
fn to_uid(number: u64) -> Uid {
    u32::try_from(number).ok().and_then(Uid::new).unwrap_or(Uid::MIN)
}

/// Keys of the mailstore begin with `m`; others are the caller's.
fn is_ours(key: &Key) -> bool {
    key.first() == Some(&b'm')
}
