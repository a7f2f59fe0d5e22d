//! Mailboxes: list, create, delete, rename.
//!
//! What always holds: all changes to the tree of an inbox ask that its version is the one they were planned on, so
//! names stay unique, the tree stays a tree, and its limits hold, however many try at once.

use crate::FeedEvent;
use crate::change::Change;
use crate::keys::{self, inbox_lane};
use crate::rows::{MailboxRow, Role, write_number};
use crate::tree::{MAX_LEVELS, MailboxName, Tree};
use crate::{MailError, MailboxInfo, Mailstore, PIECE, attempts::Attempts, attempts::Tried};
use postroom_store::{CommitBuilder, CounterRecord, Patch, PatchPlace, PatchSource};
use postroom_types::{InboxId, MailboxId, SpecialUse, UidValidity};

impl Mailstore {
    /// All mailboxes, by name.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn mailboxes(&self, inbox: InboxId) -> Result<Vec<MailboxInfo>, MailError> {
        let tree = self.tree(inbox).await?;
        let roles = self.inbox_row(inbox).await?;
        let subscribed = self.subscriptions(inbox).await?;
        let info = |(name, id): (&str, MailboxId)| {
            let row = tree.rows.get(&id)?;
            Some(MailboxInfo {
                id,
                name: name.to_owned(),
                special_use: roles.role_of(id).map_or(row.special_use, |role| role.special_use()),
                label: roles.role_of(id).and_then(|role| match role {
                    Role::Drafts => Some("draft"),
                    role => role.label(),
                }),
                subscribed: subscribed.contains(name),
                uid_validity: row.uid_validity,
            })
        };
        Ok(tree.iter().filter_map(info).collect())
    }

    /// Makes a mailbox, and those above it that are missing. It may be given the special use `\Important`, which one
    /// mailbox of an inbox can have; the others belong to mailboxes that every inbox has for life.
    ///
    /// # Errors
    /// [`MailError::SpecialUse`] (another has it), [`MailError::AlreadyExists`], [`MailError::Cannot`] (bad name),
    /// [`MailError::Limit`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn create_mailbox(
        &self,
        inbox: InboxId,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, MailError> {
        let name = MailboxName::parse(name)?;
        let id = MailboxId::new();
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let tree = self.tree(inbox).await?;
            match tree.find(&name) {
                // Done by an earlier try whose outcome was unknown.
                Some(found) if found == id => return Ok(id),
                Some(_) => return Err(MailError::AlreadyExists),
                None => {}
            }
            let is_taken = |special_use| match special_use {
                SpecialUse::Important => tree.rows.values().any(|row| row.special_use == Some(special_use)),
                _ => true,
            };
            if special_use.is_some_and(is_taken) {
                return Err(MailError::SpecialUse);
            }
            let mut change = self.change_tree(inbox, &tree);
            self.add_path(&mut change, inbox, &tree, &name.path(), Some((id, special_use)))?;
            if let Tried::Done(_) = self.try_commit(change.finish().build()).await? {
                return Ok(id);
            }
        }
    }

    /// Removes a mailbox with its messages, and gives its id. Subscriptions stay (RFC 3501 §6.3.9).
    ///
    /// # Errors
    /// [`MailError::Cannot`] for INBOX and the other mailboxes with a role, [`MailError::HasChildren`],
    /// [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn delete_mailbox(&self, inbox: InboxId, name: &str) -> Result<MailboxId, MailError> {
        let name = MailboxName::parse(name).map_err(|_| MailError::NoSuchMailbox)?;
        let roles = self.inbox_row(inbox).await?;
        let mut tried = None;
        let mut attempts = Attempts::new();
        let id = loop {
            attempts.next().await?;
            let tree = self.tree(inbox).await?;
            // Done by an earlier try whose outcome was unknown; another mailbox may have the name by now.
            if let Some(gone) = tried.filter(|id| !tree.rows.contains_key(id)) {
                break gone;
            }
            let id = tree.find(&name).ok_or(MailError::NoSuchMailbox)?;
            if roles.role_of(id).is_some() {
                return Err(MailError::Cannot("this mailbox is needed"));
            }
            if tree.has_children(id) {
                return Err(MailError::HasChildren);
            }
            let mut change = self.change_tree(inbox, &tree);
            change
                .builder
                .delete(keys::mailbox(inbox, id))
                .delete(keys::mailbox_counters(inbox, id))
                .put(keys::condemned(inbox, id), vec![crate::codec::FORMAT]);
            change.tell(FeedEvent::MailboxDeleted(id));
            match self.try_commit(change.finish().build()).await? {
                Tried::Done(_) => break id,
                Tried::Unknown => tried = Some(id),
                Tried::Conflict(_) => {}
            }
        };
        self.purge_mailbox(inbox, id).await?;
        Ok(id)
    }

    /// Renames a mailbox with its children, making the missing ones above the new name. Renaming INBOX moves its
    /// messages to the new mailbox and leaves it empty (RFC 3501 §6.3.5).
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`], [`MailError::AlreadyExists`], [`MailError::Cannot`] (below itself, bad name),
    /// [`MailError::Limit`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn rename_mailbox(&self, inbox: InboxId, from: &str, to: &str) -> Result<(), MailError> {
        let from = MailboxName::parse(from).map_err(|_| MailError::NoSuchMailbox)?;
        let to = MailboxName::parse(to)?;
        if from.as_str() == "INBOX" {
            return self.rename_inbox(inbox, &to).await;
        }
        if to.is_below(&from) {
            return Err(MailError::Cannot("a mailbox cannot be put below itself"));
        }
        let mut tried = None;
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let tree = self.tree(inbox).await?;
            let taken = tree.find(&to);
            if taken.is_some() && taken == tried {
                return Ok(());
            }
            let id = tree.find(&from).ok_or(MailError::NoSuchMailbox)?;
            if taken.is_some() {
                return Err(MailError::AlreadyExists);
            }
            // Checked for the mailboxes below, whose names grow too.
            let deepest = to.levels() + tree.height(&from) - 1;
            if deepest > MAX_LEVELS || to.as_str().len() + tree.longest_below(&from) > crate::MAX_MAILBOX_NAME_OCTETS {
                return Err(MailError::Limit("mailbox name too long"));
            }
            let mut change = self.change_tree(inbox, &tree);
            let path = to.path();
            let parent = self.add_path(&mut change, inbox, &tree, &path[..path.len() - 1], None)?;
            let row = MailboxRow {
                parent,
                leaf: to.leaf().to_owned(),
                ..tree.rows.get(&id).ok_or(MailError::NoSuchMailbox)?.clone()
            };
            change.builder.put(keys::mailbox(inbox, id), row.write());
            change.tell(FeedEvent::MailboxRenamed(id));
            match self.try_commit(change.finish().build()).await? {
                Tried::Done(_) => return Ok(()),
                Tried::Unknown => tried = Some(id),
                Tried::Conflict(_) => {}
            }
        }
    }

    async fn rename_inbox(&self, inbox: InboxId, to: &MailboxName) -> Result<(), MailError> {
        let target = self.create_mailbox(inbox, to.as_str(), None).await?;
        let source = self.mailbox_id(inbox, "INBOX").await?;
        let uids = self.open_shared(inbox, source).await?.snapshot().uids;
        for piece in uids.chunks(PIECE) {
            self.move_messages(inbox, source, piece, target).await?;
        }
        Ok(())
    }

    /// Begins a change of the tree.
    fn change_tree(&self, inbox: InboxId, tree: &Tree) -> Change {
        let mut change = Change::begin(CommitBuilder::new(), inbox, self.now());
        let patch = change.modseq_at(1);
        change
            .builder
            .require(keys::tree(inbox), tree.version.clone())
            .put_patched(keys::tree(inbox), write_number(0), vec![patch]);
        change
    }

    /// Adds the mailboxes of a path that are missing, and returns the id of the last one. `last` is what it is to be.
    fn add_path(
        &self,
        change: &mut Change,
        inbox: InboxId,
        tree: &Tree,
        path: &[MailboxName],
        last: Option<(MailboxId, Option<SpecialUse>)>,
    ) -> Result<Option<MailboxId>, MailError> {
        let mut parent = None;
        let mut made = 0;
        for (index, name) in path.iter().enumerate() {
            if let Some(id) = tree.find(name) {
                parent = Some(id);
                continue;
            }
            made += 1;
            if tree.rows.len() + made > self.options.max_mailboxes {
                return Err(MailError::Limit("too many mailboxes"));
            }
            let given = last.filter(|_| index + 1 == path.len());
            let (id, special_use) = given.unwrap_or_else(|| (MailboxId::new(), None));
            let row = MailboxRow {
                parent,
                uid_validity: UidValidity::MIN,
                leaf: name.leaf().to_owned(),
                special_use,
            };
            add_mailbox(change, inbox, id, &row);
            parent = Some(id);
        }
        Ok(parent)
    }

    /// Removes what a deleted mailbox leaves behind. Done by [`delete_mailbox`](Self::delete_mailbox); after a crash
    /// in the middle of it, by [`maintain`](Self::maintain).
    pub(crate) async fn purge_mailbox(&self, inbox: InboxId, mailbox: MailboxId) -> Result<(), MailError> {
        loop {
            let uids = self.some_uids(inbox, mailbox, PIECE).await?;
            if uids.is_empty() {
                break;
            }
            self.expunge_rows(inbox, mailbox, &uids, false).await?;
        }
        loop {
            let prefix = keys::expunged_prefix(inbox, mailbox);
            let high = postroom_store::prefix_end(&prefix);
            let page = self.store.range(&prefix, &high, false, 500).await?;
            let more = page.more;
            self.delete_keys(page.pairs.into_iter().map(|(key, _)| key)).await?;
            if !more {
                break;
            }
        }
        let last = [
            keys::highest(inbox, mailbox),
            keys::expunge_floor(inbox, mailbox),
            keys::condemned(inbox, mailbox),
        ];
        self.delete_keys(last.into_iter()).await
    }
}

fn add_mailbox(change: &mut Change, inbox: InboxId, id: MailboxId, row: &MailboxRow) {
    let builder = &mut change.builder;
    let operation = builder.count(keys::inbox_counters(inbox), inbox_lane::UID_VALIDITY, 1);
    let patch = Patch {
        source: PatchSource::Counter(operation),
        minus: 0,
        place: PatchPlace::Value(MailboxRow::UID_VALIDITY),
    };
    builder
        .put_patched(keys::mailbox(inbox, id), row.write(), vec![patch])
        .put(keys::mailbox_counters(inbox, id), CounterRecord::default().to_value());
    change.touch(id);
    change.tell(FeedEvent::MailboxCreated(id));
}
