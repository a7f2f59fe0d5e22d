//! What a link opens, signed.
//!
//! What always holds: the key is made once for a store, by whoever needs it first, and is the same for all nodes and
//! after a restart.

use crate::error::ApiError;
use crate::model::{from_hex, hex};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use postroom_mailstore::MailError;
use postroom_store::{CommitBuilder, SharedStore, commit_once};
use postroom_types::{EmailId, InboxId};
use tokio::sync::OnceCell;

/// Where the key of all tokens is kept.
const KEY_ROW: &[u8] = b"h!download";
const KEY_FORMAT: u8 = 1;
const KEY_OCTETS: usize = 32;
const TOKEN_FORMAT: u8 = 1;
const TAG_OCTETS: usize = 32;

/// What of a message is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The message as it is stored.
    Raw,
    /// A leaf, decoded.
    Part(u16),
    /// A leaf that is text, in UTF-8.
    Text(u16),
}

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Download {
    pub(crate) inbox: InboxId,
    pub(crate) message: EmailId,
    pub(crate) what: What,
    /// Milliseconds since 1970.
    pub(crate) expires_at: i64,
}

impl Download {
    fn write(&self) -> Vec<u8> {
        let (kind, index) = match self.what {
            What::Raw => (0, 0),
            What::Part(index) => (1, index),
            What::Text(index) => (2, index),
        };
        let mut octets = vec![TOKEN_FORMAT, kind];
        octets.extend(index.to_be_bytes());
        octets.extend(self.inbox.as_bytes());
        octets.extend(self.message.as_bytes());
        octets.extend(self.expires_at.to_be_bytes());
        octets
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let (head, rest) = octets.split_first_chunk::<4>()?;
        let (inbox, rest) = rest.split_first_chunk::<16>()?;
        let (message, rest) = rest.split_first_chunk::<16>()?;
        let [TOKEN_FORMAT, kind, index @ ..] = *head else {
            return None;
        };
        let index = u16::from_be_bytes(index);
        Some(Self {
            inbox: InboxId::from_bytes(*inbox),
            message: EmailId::from_bytes(*message),
            what: match (kind, index) {
                (0, 0) => What::Raw,
                (1, index) => What::Part(index),
                (2, index) => What::Text(index),
                _ => return None,
            },
            expires_at: i64::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// The key of all tokens; read when it is first needed, and made when there is none.
#[derive(Default)]
pub(crate) struct DownloadKey(OnceCell<hmac::Key>);

impl DownloadKey {
    pub(crate) async fn sign(&self, store: &SharedStore, download: &Download) -> Result<String, ApiError> {
        let mut octets = download.write();
        let tag = hmac::sign(self.get(store).await?, &octets);
        octets.extend(tag.as_ref());
        Ok(hex(&octets))
    }

    pub(crate) async fn open(&self, store: &SharedStore, token: &str) -> Result<Option<Download>, ApiError> {
        let Some(octets) = from_hex(token) else { return Ok(None) };
        let Some(split) = octets.len().checked_sub(TAG_OCTETS) else {
            return Ok(None);
        };
        let (signed, tag) = octets.split_at(split);
        let is_ours = hmac::verify(self.get(store).await?, signed, tag).is_ok();
        Ok(Download::read(signed).filter(|_| is_ours))
    }

    async fn get(&self, store: &SharedStore) -> Result<&hmac::Key, ApiError> {
        self.0.get_or_try_init(|| read_or_make(store)).await
    }
}

async fn read_or_make(store: &SharedStore) -> Result<hmac::Key, ApiError> {
    // Whoever comes second reads what the first one made.
    for _ in 0..2 {
        if let Some(value) = store.get(KEY_ROW).await.map_err(MailError::from)? {
            return match value.split_first() {
                Some((&KEY_FORMAT, key)) if key.len() == KEY_OCTETS => Ok(hmac::Key::new(hmac::HMAC_SHA256, key)),
                _ => Err(ApiError::Internal),
            };
        }
        let mut value = vec![KEY_FORMAT; 1 + KEY_OCTETS];
        SystemRandom::new()
            .fill(&mut value[1..])
            .map_err(|_| ApiError::Internal)?;
        let mut builder = CommitBuilder::new();
        builder.put_new(KEY_ROW.to_vec(), value);
        let committed = commit_once(&**store, builder.build(), KEY_ROW).await;
        committed.map_err(MailError::from)?;
    }
    Err(ApiError::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_store::MemoryStore;

    fn sample() -> Download {
        Download {
            inbox: InboxId::new(),
            message: EmailId::new(),
            what: What::Part(3),
            expires_at: 1_700_000_000_000,
        }
    }

    #[tokio::test]
    async fn only_what_was_signed_opens() {
        let store: SharedStore = MemoryStore::new();
        let (key, other) = (DownloadKey::default(), DownloadKey::default());
        let token = key.sign(&store, &sample()).await.unwrap();
        assert_ne!(key.open(&store, &token).await.unwrap(), None);
        // The same key for all nodes, and after a restart.
        assert!(other.open(&store, &token).await.unwrap().is_some());
        for place in [0, 2, 10, 40, token.len() - 1] {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(key.open(&store, &forged).await.unwrap(), None, "{place}");
        }
        for bad in ["", "00", "zz", &token[2..], &token[..token.len() - 2]] {
            assert_eq!(key.open(&store, bad).await.unwrap(), None, "{bad}");
        }
        let elsewhere: SharedStore = MemoryStore::new();
        assert_eq!(DownloadKey::default().open(&elsewhere, &token).await.unwrap(), None);
    }

    #[test]
    fn downloads_are_read_again() {
        for what in [What::Raw, What::Part(0), What::Text(u16::MAX)] {
            let download = Download { what, ..sample() };
            assert_eq!(Download::read(&download.write()), Some(download));
        }
    }
}
