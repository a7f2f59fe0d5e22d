//! Search of the API: messages of an inbox that have some words, the best first. It asks the search of IMAP, mailbox by
//! mailbox, so both find the same.

use crate::labels::is_hidden_place;
use crate::{MailError, Mailstore};
use postroom_types::{AddressField, EmailId, InboxId, SearchKey, Uid};
use std::collections::BTreeMap;

/// Most messages of one mailbox that are found: the newest.
const MAX_FOUND: usize = 5000;

/// A message that was found. Of two the one that is greater is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// The more of the words stand in subject and addresses, the higher.
    pub rank: u8,
    /// The message.
    pub email_id: EmailId,
}

impl Mailstore {
    /// Messages in which each word stands somewhere: in From, To, Cc, Bcc, subject or text; the best first, and of those
    /// that are as good the newest. Not those in Spam, Trash, Blocked and Drafts, and of each mailbox at most 5,000.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn find(&self, inbox: InboxId, words: &[String]) -> Result<Vec<Hit>, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let everywhere = SearchKey::And(words.iter().map(|word| anywhere(word)).collect());
        let mut best: BTreeMap<EmailId, u8> = BTreeMap::new();
        for mailbox in self.mailboxes(inbox).await? {
            if is_hidden_place(&roles, mailbox.id) {
                continue;
            }
            let shared = match self.open_shared(inbox, mailbox.id).await {
                Ok(shared) => shared,
                // Deleted meanwhile.
                Err(MailError::NoSuchMailbox) => continue,
                Err(error) => return Err(error),
            };
            let among = shared.snapshot().uids;
            let mut found = self.search(&shared, &among, &everywhere).await?.uids;
            found.drain(..found.len().saturating_sub(MAX_FOUND));
            let mut ranks: BTreeMap<Uid, u8> = found.iter().map(|uid| (*uid, 0)).collect();
            for word in words {
                let better = [(SearchKey::Subject(word.clone()), 2), (in_addresses(word), 1)];
                for (key, weight) in better {
                    for uid in self.search(&shared, &found, &key).await?.uids {
                        if let Some(rank) = ranks.get_mut(&uid) {
                            *rank = rank.saturating_add(weight);
                        }
                    }
                }
            }
            for (uid, email_id) in self.email_ids(inbox, mailbox.id, &found).await? {
                let rank = ranks.get(&uid).copied().unwrap_or(0);
                let known = best.entry(email_id).or_default();
                *known = rank.max(*known);
            }
        }
        let mut hits: Vec<Hit> = best
            .into_iter()
            .map(|(email_id, rank)| Hit { rank, email_id })
            .collect();
        hits.sort_unstable_by(|a, b| b.cmp(a));
        Ok(hits)
    }
}

fn anywhere(word: &str) -> SearchKey {
    let more = (SearchKey::Subject(word.to_owned()), SearchKey::Body(word.to_owned()));
    SearchKey::Or(Box::new((in_addresses(word), SearchKey::Or(Box::new(more)))))
}

fn in_addresses(word: &str) -> SearchKey {
    let of = |field| SearchKey::Address {
        field,
        text: word.to_owned(),
    };
    let fields = [AddressField::To, AddressField::Cc, AddressField::Bcc];
    let or = |key, field| SearchKey::Or(Box::new((key, of(field))));
    fields.into_iter().fold(of(AddressField::From), or)
}
