//! Changing labels: moves between mailboxes and changes of flags, for several messages at once.
//!
//! What always holds: all messages of a call are changed by one commit, or none; a message that has the labels already
//! keeps its modseq, and a call that changes nothing writes nothing.

use super::change::{LabelChange, PLACES};
use super::commit::Relabeling;
use super::folder::filed;
use super::outcome::{Fate, Leads, Outcome};
use super::{Folder, Known, Labels};
use crate::attempts::{Attempts, Tried};
use crate::flags::check_keywords;
use crate::rows::{InboxRow, Role};
use crate::shared::Leaving;
use crate::{MailError, Mailstore, Origin, keys};
use postroom_store::{Key, Value};
use postroom_types::{EmailId, Flag, InboxId, MailboxId, MessageFlags};
use std::collections::{BTreeMap, BTreeSet};

/// Most messages of one call of [`Mailstore::update_labels`].
pub const MAX_LABEL_CHANGE: usize = 100;

/// What is to become of messages.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Labels(&'a LabelChange),
    Folder(Folder, bool),
}

impl Mailstore {
    /// Gives and takes labels of messages, at most [`MAX_LABEL_CHANGE`], in one commit: each message with its labels
    /// afterwards, in the order given; those that are gone are left out.
    ///
    /// `spam`, `trash` and `blocked` put the message there, of all placements one; taking them away puts what is there back
    /// to where the message was at home, of what its owner sent to itself to both places; `unread` is `\Seen`, and any
    /// other label a keyword, of all placements.
    ///
    /// # Errors
    /// [`MailError::Limit`] (too many messages, placements or labels), [`MailError::NoSuchInbox`],
    /// [`MailError::Unavailable`]; the store's own. Nothing was changed, but after [`MailError::Unavailable`] all may be;
    /// the same call may be made again.
    pub async fn update_labels(
        &self,
        inbox: InboxId,
        ids: &[EmailId],
        change: &LabelChange,
    ) -> Result<Vec<(EmailId, Labels)>, MailError> {
        self.relabel(inbox, ids, Wish::Labels(change)).await
    }

    /// Puts messages into a folder, at most [`MAX_LABEL_CHANGE`], in one commit: each message with its labels afterwards, in
    /// the order given; those that are gone are left out. What is in Trash or Drafts stays there, and what is only in Sent
    /// unless `sent_too`; a message of the inbox's owner's that is put into the inbox goes to Sent, and to INBOX if it was
    /// received too.
    ///
    /// # Errors
    /// Those of [`update_labels`](Self::update_labels).
    pub async fn file(
        &self,
        inbox: InboxId,
        ids: &[EmailId],
        folder: Folder,
        sent_too: bool,
    ) -> Result<Vec<(EmailId, Labels)>, MailError> {
        self.relabel(inbox, ids, Wish::Folder(folder, sent_too)).await
    }

    async fn relabel(
        &self,
        inbox: InboxId,
        ids: &[EmailId],
        wish: Wish<'_>,
    ) -> Result<Vec<(EmailId, Labels)>, MailError> {
        let mut ids = ids.to_vec();
        let mut seen = BTreeSet::new();
        ids.retain(|id| seen.insert(*id));
        if ids.len() > MAX_LABEL_CHANGE {
            return Err(MailError::Limit("too many messages"));
        }
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let roles = self.inbox_row(inbox).await?;
            let known = self.known(inbox, &ids).await?;
            let outcomes = match wish {
                Wish::Labels(change) => self.outcomes(inbox, &roles, known, change).await?,
                Wish::Folder(folder, sent_too) => {
                    let known = known.into_iter().flatten();
                    known.map(|known| filed(&roles, known, folder, sent_too)).collect()
                }
            };
            let labels: Vec<(EmailId, Labels)> = outcomes
                .iter()
                .map(|outcome| (outcome.known.email_id, outcome.labels(&roles)))
                .collect();
            let changing: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.changes()).collect();
            if changing.is_empty() {
                return Ok(labels);
            }
            let Some(metas) = self.metas(inbox, &changing).await? else {
                continue;
            };
            self.remember_leaving(inbox, &changing).await?;
            let commit = Relabeling::commit(self, inbox, &roles, &changing, metas)?;
            // After an unknown outcome the next look shows whether it was done: then nothing is left to change.
            if let Tried::Done(_) = self.try_commit(commit.build()).await? {
                return Ok(labels);
            }
        }
    }

    async fn outcomes(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        known: Vec<Option<Known>>,
        change: &LabelChange,
    ) -> Result<Vec<Outcome>, MailError> {
        let mut there: BTreeMap<MailboxId, bool> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(known.len());
        for known in known.into_iter().flatten() {
            let labels = known.labels(roles);
            let (mut home, mut other_home) = (known.row.home, None);
            if change.place(roles, &labels, home) == Some(home) {
                if !self.is_there(inbox, roles, home, &mut there).await? {
                    home = fallback_home(roles, known.row.origin);
                }
                if let Some(other) = known.row.other_home {
                    let is_there = other != home && self.is_there(inbox, roles, other, &mut there).await?;
                    other_home = Some(if is_there { other } else { roles.id_of(Role::Inbox) });
                }
            }
            let target = change.place(roles, &labels, home);
            let leads = match target {
                None => Leads::About,
                Some(target) if target == home => Leads::Home(other_home),
                Some(_) => Leads::Away,
            };
            let leaves = |mailbox| leaves_for(roles, target, home, mailbox);
            let is_live = |flags: &MessageFlags| !flags.system.contains(Flag::Deleted);
            let none_lives = !known.placements.iter().any(|placed| is_live(&placed.flags.flags));
            let mut wished = Vec::with_capacity(known.placements.len());
            for placed in &known.placements {
                let mut flags = change.flags(&placed.flags.flags);
                let counts = none_lives || is_live(&flags);
                let to = target.filter(|_| counts && leaves(placed.mailbox));
                if to.is_some() {
                    // What is moved is wanted there.
                    flags.system = flags.system.without(Flag::Deleted);
                }
                check_keywords(&flags)?;
                wished.push((flags, to));
            }
            let home = known.row.home;
            outcomes.push(Outcome::new(roles, known, wished, leads, home));
        }
        Ok(outcomes)
    }

    /// Whether a mailbox is there, looked up once.
    async fn is_there(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        mailbox: MailboxId,
        known: &mut BTreeMap<MailboxId, bool>,
    ) -> Result<bool, MailError> {
        if roles.role_of(mailbox).is_some() {
            return Ok(true);
        }
        if let Some(there) = known.get(&mailbox) {
            return Ok(*there);
        }
        let there = self.store.get(&keys::mailbox(inbox, mailbox)).await?.is_some();
        known.insert(mailbox, there);
        Ok(there)
    }

    /// The metadata rows of placements that move, by their keys; `None` if one has gone.
    async fn metas(&self, inbox: InboxId, changing: &[&Outcome]) -> Result<Option<BTreeMap<Key, Value>>, MailError> {
        let mut keys: Vec<Key> = Vec::new();
        for outcome in changing {
            let moving = outcome.known.placements.iter().zip(&outcome.placements);
            let moving = moving.filter(|(_, (_, fate))| matches!(fate, Fate::Moves(_)));
            keys.extend(moving.map(|(was, _)| keys::metadata(inbox, was.mailbox, u64::from(was.uid.get()))));
        }
        let values = self.store.get_many(&keys).await?;
        let metas = keys.into_iter().zip(values).map(|(key, value)| Some((key, value?)));
        Ok(metas.collect())
    }

    async fn remember_leaving(&self, inbox: InboxId, changing: &[&Outcome]) -> Result<(), MailError> {
        let mut leaving: BTreeMap<MailboxId, Vec<Leaving>> = BTreeMap::new();
        for outcome in changing {
            for (was, (_, fate)) in outcome.known.placements.iter().zip(&outcome.placements) {
                if *fate != Fate::Stays {
                    leaving.entry(was.mailbox).or_default().push(Leaving {
                        uid: was.uid,
                        flags: was.flags.clone(),
                        content: outcome.known.row.clone().content(),
                    });
                }
            }
        }
        for (mailbox, leaving) in leaving {
            self.keep_ghosts(inbox, mailbox, || Ok(leaving)).await?;
        }
        Ok(())
    }
}

/// Whether a placement in this mailbox goes to the target: to a place all go, home only what is in such a place.
fn leaves_for(roles: &InboxRow, target: Option<MailboxId>, home: MailboxId, mailbox: MailboxId) -> bool {
    match target {
        None => false,
        Some(target) if target == home => {
            let role = roles.role_of(mailbox);
            PLACES.iter().any(|(place, _)| role == Some(*place))
        }
        Some(target) => mailbox != target,
    }
}

/// Where a message goes whose home is no more.
fn fallback_home(roles: &InboxRow, origin: Origin) -> MailboxId {
    roles.id_of(match origin {
        Origin::Sent => Role::Sent,
        Origin::Received | Origin::Imported | Origin::Draft => Role::Inbox,
    })
}
