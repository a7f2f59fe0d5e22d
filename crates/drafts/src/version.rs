//! Which version of a draft is meant, and copies of one.

use crate::content::letter_of;
use crate::{Draft, DraftError, DraftId, Drafts, GivenContext, GivenLetter, NewDraft, NewKind};
use postroom_identity::InboxRecord;
use postroom_types::Uid;

/// That a draft is of the version that is meant, if one is.
pub(crate) fn check_generation(draft: &Draft, wanted: Option<Uid>) -> Result<(), DraftError> {
    match wanted {
        Some(wanted) if wanted != draft.generation() => Err(DraftError::Stale),
        Some(_) | None => Ok(()),
    }
}

impl Drafts {
    /// Makes a draft that says the same as another one, which is of this version if one is given. It does not go by itself,
    /// whatever the other one does. Durable on return.
    ///
    /// # Errors
    /// [`DraftError::NotFound`], [`DraftError::Stale`]; those of [`create`](Self::create).
    pub async fn duplicate(
        &self,
        inbox: &InboxRecord,
        id: DraftId,
        generation: Option<Uid>,
    ) -> Result<Draft, DraftError> {
        let draft = self.get(inbox.id, id).await?;
        check_generation(&draft, generation)?;
        let content = self.content(&draft).await?;
        let (letter, context) = letter_of(&draft, &content, &[]);
        let new = NewDraft {
            letter: GivenLetter {
                to: Some(letter.to),
                cc: Some(letter.cc),
                bcc: Some(letter.bcc),
                reply_to: Some(letter.reply_to),
                subject: Some(letter.subject),
                plain: Some(letter.plain),
                html: Some(letter.html),
                attachments: letter.attachments,
            },
            kind: match draft.passes_on {
                Some((of, _)) => NewKind::Forward { of },
                None => NewKind::Message,
            },
            labels: draft.labels.clone(),
            send_at: None,
            client_id: None,
            request: None,
            passing: draft.passes_on.map(|(_, passing)| passing).unwrap_or_default(),
            context: GivenContext {
                in_reply_to: Some(context.in_reply_to),
                references: Some(context.references),
                thread: draft.thread.map(Some),
            },
        };
        self.create(inbox, new).await
    }
}
