//! NOTIFY: what happens in mailboxes that are not selected (RFC 5465).
//!
//! What always holds: everything up to the modseq `cursor` was told. The feed says which mailboxes were touched; counts and
//! names are read once for a wake-up, however much happened. Where the feed does not reach back, all that is watched is
//! told anew.

use crate::answer::Session;
use crate::fault::of_mail;
use crate::mailboxes::no_mailbox;
use postroom_imap_proto::{Fault, MailboxEntry, OtherNews, StatusData, Watch, WatchedMailboxes};
use postroom_mailstore::{FeedEntry, FeedEvent, MailError, MailboxInfo};
use postroom_types::{InboxId, MailboxId, ModSeq};
use std::collections::{BTreeMap, BTreeSet};

/// Most feed rows read for one look; beyond it is as if the feed did not reach back.
const FEED_ROWS: usize = 1_000;

/// What a session watches.
pub(crate) struct Watching {
    watches: Vec<Watch>,
    /// Where incoming mail may be put: INBOX, Spam and Blocked, which keep that for as long as the inbox lives.
    inboxes: BTreeSet<MailboxId>,
    cursor: ModSeq,
    known: Known,
}

/// The mailboxes and subscriptions as they were told last.
#[derive(Default)]
struct Known {
    mailboxes: BTreeMap<MailboxId, MailboxEntry>,
    /// Subscribed names without a mailbox.
    names: BTreeSet<String>,
}

/// What was found, to be counted as told when it is.
#[derive(Default)]
pub(crate) struct Elsewhere {
    others: Vec<OtherNews>,
    cursor: ModSeq,
    /// `None`: as before.
    known: Option<Known>,
}

/// What happened, as the feed says.
#[derive(Default)]
struct Touched {
    /// Messages came or went.
    messages: BTreeSet<MailboxId>,
    /// Flags changed.
    flags: BTreeSet<MailboxId>,
    /// Mailboxes were made, renamed, deleted.
    names: bool,
    /// Anything may have happened.
    all: bool,
}

impl Session {
    /// Watches these from now on; the counts of those that are watched for messages.
    pub(crate) async fn watch(&mut self, watches: Vec<Watch>) -> Result<Vec<(String, StatusData)>, Fault> {
        self.watching = None;
        if watches.is_empty() {
            return Ok(Vec::new());
        }
        // The cursor first: what is read after it may be newer, and is then told twice.
        let cursor = self.service.mailstore.modseq(self.inbox()?).await;
        let watching = Watching {
            watches,
            inboxes: self.inboxes().await.map_err(|e| of_mail(&e))?,
            cursor: cursor.map_err(|e| of_mail(&e))?,
            known: Known::of(self.mailboxes().await?),
        };
        let selected = self.selected_id();
        let mailboxes = watching.known.mailboxes.iter();
        let is_counted = |(id, entry): &(&MailboxId, &MailboxEntry)| {
            Some(**id) != selected && watching.wishes(entry).any(|watch| watch.messages)
        };
        let (ids, names): (Vec<_>, Vec<_>) = mailboxes
            .filter(is_counted)
            .map(|(id, entry)| (*id, entry.name.clone()))
            .unzip();
        let statuses = self.statuses_of(&ids).await.map_err(|e| of_mail(&e))?;
        self.watching = Some(Box::new(watching));
        let counted = names.into_iter().zip(statuses);
        Ok(counted.filter_map(|(name, data)| Some((name, data?))).collect())
    }

    /// Where incoming mail may be put (RFC 5465 §6.3).
    async fn inboxes(&self) -> Result<BTreeSet<MailboxId>, MailError> {
        let Some(login) = &self.login else {
            return Ok(BTreeSet::new());
        };
        let mailboxes = self.service.mailstore.mailboxes(login.inbox.id).await?;
        let inboxes = mailboxes.into_iter().filter(is_delivered_to);
        Ok(inboxes.map(|info| info.id).collect())
    }

    /// Looks at what is watched. `None`: nothing happened.
    pub(crate) async fn elsewhere(&self) -> Result<Option<Elsewhere>, MailError> {
        let (Some(login), Some(watching)) = (&self.login, &self.watching) else {
            return Ok(None);
        };
        let (touched, cursor) = self.touched(login.inbox.id, watching.cursor).await?;
        // Subscriptions are not in the feed.
        let looks_at_names = touched.names || watching.watches.iter().any(|watch| watch.subscriptions);
        let known = match looks_at_names {
            true => Some(Known::of(self.entries().await?)),
            false => None,
        };
        let mut others = Vec::new();
        if let Some(now) = &known {
            watching.compare(now, &mut others);
        }
        let counted = watching.counted(known.as_ref().unwrap_or(&watching.known), &touched, self.selected_id());
        let ids: Vec<MailboxId> = counted.iter().map(|(id, ..)| *id).collect();
        let statuses = match ids.is_empty() {
            true => Vec::new(),
            false => self.statuses_of(&ids).await?,
        };
        for ((_, name, flags_only), data) in counted.into_iter().zip(statuses) {
            others.extend(data.map(|data| OtherNews::Status { name, data, flags_only }));
        }
        Ok(Some(Elsewhere { others, cursor, known }))
    }

    /// What happened since the cursor, and where to go on.
    async fn touched(&self, inbox: InboxId, cursor: ModSeq) -> Result<(Touched, ModSeq), MailError> {
        let mailstore = &self.service.mailstore;
        let now = mailstore.modseq(inbox).await?;
        if now <= cursor {
            return Ok((Touched::default(), cursor));
        }
        let rows = mailstore.feed(inbox, cursor, FEED_ROWS).await?;
        let last = rows.last().map_or(cursor, |row| row.modseq);
        let is_whole = last >= now && rows.len() as u64 == last.0 - cursor.0;
        if !is_whole {
            let touched = Touched {
                names: true,
                all: true,
                ..Touched::default()
            };
            return Ok((touched, now));
        }
        Ok((Touched::of(rows), last))
    }

    /// Counts as told what was found.
    pub(crate) fn take_others(&mut self, elsewhere: Option<Elsewhere>) -> Vec<OtherNews> {
        let (Some(watching), Some(elsewhere)) = (&mut self.watching, elsewhere) else {
            return Vec::new();
        };
        watching.cursor = elsewhere.cursor;
        if let Some(known) = elsewhere.known {
            watching.known = known;
        }
        elsewhere.others
    }
}

impl Touched {
    fn of(rows: Vec<FeedEntry>) -> Self {
        let mut touched = Self::default();
        for event in rows.into_iter().flat_map(|row| row.events) {
            match event {
                FeedEvent::Appended { mailbox, .. } | FeedEvent::Expunged { mailbox, .. } => {
                    touched.messages.insert(mailbox);
                }
                FeedEvent::Flags { mailbox, .. } => {
                    touched.flags.insert(mailbox);
                }
                // What did it is told too.
                FeedEvent::Labels(_) => {}
                FeedEvent::MailboxCreated(_) | FeedEvent::MailboxDeleted(_) | FeedEvent::MailboxRenamed(_) => {
                    touched.names = true;
                }
            }
        }
        touched
    }
}

impl Known {
    fn of(entries: Vec<MailboxEntry>) -> Self {
        let mut known = Self::default();
        for entry in entries {
            match entry.id {
                Some(id) => {
                    known.mailboxes.insert(id, entry);
                }
                None => {
                    known.names.insert(entry.name);
                }
            }
        }
        known
    }

    /// What a name is now that was a mailbox's.
    fn without_mailbox(&self, name: &str) -> MailboxEntry {
        no_mailbox(name.to_owned(), self.names.contains(name))
    }

    fn has_children(&self, name: &str) -> bool {
        let is_below = |other: &MailboxEntry| other.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
        self.mailboxes.values().any(is_below)
    }

    fn by_name(&self, name: &str) -> Option<&MailboxEntry> {
        self.mailboxes.values().find(|entry| entry.name == name)
    }
}

impl Watching {
    /// The watches that a mailbox falls under.
    fn wishes(&self, entry: &MailboxEntry) -> impl Iterator<Item = &Watch> {
        self.watches.iter().filter(move |watch| self.falls_under(entry, watch))
    }

    fn falls_under(&self, entry: &MailboxEntry, watch: &Watch) -> bool {
        match &watch.mailboxes {
            WatchedMailboxes::Inboxes => entry.id.is_some_and(|id| self.inboxes.contains(&id)),
            WatchedMailboxes::Personal => true,
            WatchedMailboxes::Subscribed => entry.subscribed,
            WatchedMailboxes::Subtree(tops) => tops.iter().any(|top| {
                let below = entry.name.strip_prefix(top.as_str());
                below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            }),
            WatchedMailboxes::Names(names) => names.contains(&entry.name),
        }
    }

    /// Whose counts are told: id, name, and whether flags alone have changed.
    fn counted(&self, now: &Known, touched: &Touched, selected: Option<MailboxId>) -> Vec<(MailboxId, String, bool)> {
        let mut counted = Vec::new();
        for (id, entry) in now.mailboxes.iter().filter(|(id, _)| Some(**id) != selected) {
            let has_messages = touched.all || touched.messages.contains(id);
            let has_flags = touched.all || touched.flags.contains(id);
            if !has_messages && !has_flags {
                continue;
            }
            let messages = has_messages && self.wishes(entry).any(|watch| watch.messages);
            if messages || has_flags && self.wishes(entry).any(|watch| watch.flags) {
                counted.push((*id, entry.name.clone(), !messages));
            }
        }
        counted
    }

    /// Tells what became of names and subscriptions.
    fn compare(&self, now: &Known, others: &mut Vec<OtherNews>) {
        let mut tell = |entry: MailboxEntry, old_name| {
            let has_children = now.has_children(&entry.name);
            others.push(OtherNews::Mailbox {
                entry,
                old_name,
                has_children,
            });
        };
        let names = |entry: &MailboxEntry| self.wishes(entry).any(|watch| watch.names);
        let mut affected = BTreeSet::new();
        for (id, old) in &self.known.mailboxes {
            if !now.mailboxes.contains_key(id) && names(old) {
                tell(now.without_mailbox(&old.name), None);
                affected.extend(parent(&old.name));
            }
        }
        for (id, entry) in &now.mailboxes {
            let Some(old) = self.known.mailboxes.get(id) else {
                if names(entry) {
                    tell(entry.clone(), None);
                    affected.extend(parent(&entry.name));
                }
                continue;
            };
            if old.name != entry.name {
                // RFC 5465 §5.4: nothing is told of the children of what was renamed.
                if (names(entry) || names(old)) && !self.moved_with_parent(now, old, entry) {
                    tell(entry.clone(), Some(old.name.clone()));
                }
            } else if old.subscribed != entry.subscribed && self.subscriptions(entry) {
                tell(entry.clone(), None);
            }
        }
        // RFC 5465 §5.4: the direct parent of what was made or deleted is affected too, since it has children now or not.
        for entry in affected.into_iter().filter_map(|name| now.by_name(name)) {
            if names(entry) && self.known.mailboxes.values().any(|old| old.name == entry.name) {
                tell(entry.clone(), None);
            }
        }
        for (names, subscribed) in [
            (&now.names - &self.known.names, true),
            (&self.known.names - &now.names, false),
        ] {
            for name in names {
                let entry = no_mailbox(name, subscribed);
                let was_or_is = now.by_name(&entry.name).or(self.known.by_name(&entry.name));
                if was_or_is.is_none() && self.subscriptions(&entry) {
                    tell(entry, None);
                }
            }
        }
    }

    fn subscriptions(&self, entry: &MailboxEntry) -> bool {
        // What is not subscribed any more was.
        let was = MailboxEntry {
            subscribed: true,
            ..entry.clone()
        };
        self.wishes(&was).any(|watch| watch.subscriptions)
    }

    /// Whether a mailbox has its new name because the one above it has.
    fn moved_with_parent(&self, now: &Known, old: &MailboxEntry, new: &MailboxEntry) -> bool {
        let (Some((old_parent, old_leaf)), Some((new_parent, new_leaf))) =
            (old.name.rsplit_once('/'), new.name.rsplit_once('/'))
        else {
            return false;
        };
        let was = self.known.by_name(old_parent).and_then(|entry| entry.id);
        let is = now.by_name(new_parent).and_then(|entry| entry.id);
        old_leaf == new_leaf && was.is_some() && was == is
    }
}

fn parent(name: &str) -> Option<&str> {
    Some(name.rsplit_once('/')?.0)
}

fn is_delivered_to(info: &MailboxInfo) -> bool {
    info.name == "INBOX" || matches!(info.label, Some("spam" | "blocked"))
}
