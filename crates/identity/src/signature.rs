//! What is put under the mail of an inbox.

use crate::attempts::ATTEMPTS;
use crate::inboxes::row_of;
use crate::record::InboxRecord;
use crate::{Identity, IdentityError, keys, parts};
use postroom_store::{CommitBuilder, StoreError};
use postroom_types::InboxId;
use serde::{Deserialize, Serialize};

/// Longest signature in either form, in characters.
pub const MAX_SIGNATURE_CHARACTERS: usize = 16_384;

/// The signature of an inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// As HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// As plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether it is put under what is sent.
    #[serde(default)]
    pub enabled: bool,
}

/// What to change of a signature; `None` leaves it, `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureChange {
    /// At most 16,384 characters.
    pub html: Option<Option<String>>,
    /// At most 16,384 characters.
    pub text: Option<Option<String>>,
    /// As in [`Signature`].
    pub enabled: Option<bool>,
}

impl Identity {
    /// The signature of an inbox.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn signature(&self, inbox: InboxId) -> Result<Signature, IdentityError> {
        let (text, _) = self.text_in_parts(&keys::signature(inbox)).await?;
        read(text.as_deref())
    }

    /// Changes the signature of an inbox and returns it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`]; [`IdentityError::Invalid`].
    pub async fn set_signature(&self, id: InboxId, change: &SignatureChange) -> Result<Signature, IdentityError> {
        for text in [&change.html, &change.text].into_iter().flatten().flatten() {
            if text.chars().count() > MAX_SIGNATURE_CHARACTERS {
                return Err(IdentityError::Invalid("a signature has at most 16,384 characters"));
            }
        }
        for _ in 0..ATTEMPTS {
            let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
            let Some((old, mut inbox)) = found.filter(|(_, inbox)| inbox.deleted_at.is_none()) else {
                return Err(IdentityError::NoSuchInbox);
            };
            let first = keys::signature(id);
            let (kept, parts) = self.text_in_parts(&first).await?;
            let mut signature = read(kept.as_deref())?;
            if let Some(html) = &change.html {
                signature.html.clone_from(html);
            }
            if let Some(text) = &change.text {
                signature.text.clone_from(text);
            }
            signature.enabled = change.enabled.unwrap_or(signature.enabled);
            inbox.touch();
            let text = (signature != Signature::default()).then(|| {
                serde_json::to_string(&signature).expect("a signature has string keys, and a String takes all")
            });
            let mut builder = CommitBuilder::new();
            builder.replace(keys::inbox(id), old, row_of(&inbox)?);
            parts::put(&mut builder, &first, text.as_deref(), inbox.updated_at(), parts);
            if self.commit_change(builder).await? {
                return Ok(signature);
            }
        }
        Err(IdentityError::Busy)
    }
}

fn read(text: Option<&str>) -> Result<Signature, IdentityError> {
    let Some(text) = text else {
        return Ok(Signature::default());
    };
    let read = serde_json::from_str(text);
    Ok(read.map_err(|error| StoreError::Corrupt(format!("a signature: {error}").into()))?)
}
