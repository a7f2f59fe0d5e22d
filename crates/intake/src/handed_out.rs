//! What of a message is given to one program alone, such as a one-time code.
//!
//! What always holds: of those who ask at the same time exactly one gets it; it gets it again, if it asks by the same
//! name, so that an answer that was lost on the way costs nothing.

use crate::{Intake, expiry, keys};
use postroom_mailstore::MailError;
use postroom_store::{CommitBuilder, Committed, StoreError, commit_once};
use postroom_types::{EmailId, InboxId};

/// How long it is known who has it: longer than the feed tells of the message.
const KEEP_MS: i64 = 60 * 24 * 60 * 60 * 1000;

/// How often a row is asked for that seems to be there and is not.
const TRIES: usize = 8;

/// A part of a message that is given out once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Single {
    /// The message itself.
    Message = b'm',
    /// Its one-time code.
    Code = b'c',
    /// Its link.
    Link = b'l',
}

/// Who has a part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody yet.
    Nobody,
    /// Who asks.
    Asker,
    /// Somebody else.
    Other,
}

impl Intake {
    /// Gives a part of a message to the one with this name, for good; `false` if somebody else has it. Durable on return.
    ///
    /// # Errors
    /// The store's own; then it is not known whether it was given, and asking again by the same name is safe.
    pub async fn hand_out(
        &self,
        inbox: InboxId,
        message: EmailId,
        part: Single,
        to: &[u8; 16],
    ) -> Result<bool, MailError> {
        let key = keys::handed_out(inbox, message, part);
        let until = self.now_ms() + KEEP_MS;
        let mut builder = CommitBuilder::new();
        builder.put_new(key.clone(), expiry::value(until, to));
        expiry::add(&mut builder, until, &key);
        let commit = builder.build();
        for _ in 0..TRIES {
            match commit_once(&**self.store(), commit.clone(), &key).await? {
                Committed::Done(_) => return Ok(true),
                Committed::Full => return Err(MailError::Full),
                Committed::AlreadyDone | Committed::Conflict(_) => {}
            }
            // By somebody, or by this very call, whose outcome was unknown at first.
            match self.holder(inbox, message, part, Some(to)).await? {
                Holder::Asker => return Ok(true),
                Holder::Other => return Ok(false),
                Holder::Nobody => {}
            }
        }
        Err(StoreError::Unavailable("it stays unclear who has it".into()).into())
    }

    /// Who has a part of a message, as one with this name sees it.
    ///
    /// # Errors
    /// The store's own.
    pub async fn holder(
        &self,
        inbox: InboxId,
        message: EmailId,
        part: Single,
        asker: Option<&[u8; 16]>,
    ) -> Result<Holder, MailError> {
        let Some(value) = self.store().get(&keys::handed_out(inbox, message, part)).await? else {
            return Ok(Holder::Nobody);
        };
        let (_, name) = expiry::read(&value)?;
        let is_asker = asker.is_some_and(|asker| asker == name);
        Ok(if is_asker { Holder::Asker } else { Holder::Other })
    }
}
