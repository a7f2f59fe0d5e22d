//! The tree of an inbox's mailboxes, and how names are read.
//!
//! What always holds: a tree is exactly what its version row says, because every change to the tree changes that row
//! in the same commit and asks that it was unchanged. So a cached tree is right as long as the version is.

use crate::rows::MailboxRow;
use crate::{MailError, Mailstore, attempts::Attempts, keys};
use postroom_store::{Value, scan_prefix};
use postroom_types::{InboxId, MailboxId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest full name of a mailbox.
pub const MAX_MAILBOX_NAME_OCTETS: usize = 1000;
/// Most levels of a name.
pub(crate) const MAX_LEVELS: usize = 20;
/// Trees kept in memory; beyond, all are forgotten, which costs a short scan each.
const MAX_CACHED: usize = 1024;

/// All mailboxes of an inbox at one version.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The tree row this is true of.
    pub(crate) version: Value,
    pub(crate) rows: BTreeMap<MailboxId, MailboxRow>,
    names: BTreeMap<String, MailboxId>,
}

impl Tree {
    fn new(version: Value, rows: BTreeMap<MailboxId, MailboxRow>) -> Self {
        let mut tree = Self {
            version,
            rows,
            names: BTreeMap::new(),
        };
        tree.names = tree
            .rows
            .keys()
            .filter_map(|id| tree.name(*id).map(|name| (name, *id)))
            .collect();
        tree
    }

    /// The full name.
    pub(crate) fn name(&self, id: MailboxId) -> Option<String> {
        let mut leaves = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let row = self.rows.get(&id)?;
            leaves.push(row.leaf.as_str());
            // A cycle cannot be written; if one is read, it has no name.
            if leaves.len() > MAX_LEVELS {
                return None;
            }
            next = row.parent;
        }
        leaves.reverse();
        Some(leaves.join("/"))
    }

    pub(crate) fn find(&self, name: &MailboxName) -> Option<MailboxId> {
        self.names.get(name.as_str()).copied()
    }

    pub(crate) fn has_children(&self, id: MailboxId) -> bool {
        self.rows.values().any(|row| row.parent == Some(id))
    }

    /// Levels of the deepest branch that begins with this mailbox.
    pub(crate) fn height(&self, name: &MailboxName) -> usize {
        let inside = format!("{}/", name.as_str());
        let below = self.names.keys().filter_map(|other| other.strip_prefix(&inside));
        1 + below.map(|rest| rest.split('/').count()).max().unwrap_or(0)
    }

    /// Octets of the longest name below this mailbox, without its own.
    pub(crate) fn longest_below(&self, name: &MailboxName) -> usize {
        let inside = format!("{}/", name.as_str());
        let below = self.names.keys().filter_map(|other| other.strip_prefix(&inside));
        below.map(|rest| rest.len() + 1).max().unwrap_or(0)
    }

    /// Names and ids, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, MailboxId)> {
        self.names.iter().map(|(name, id)| (name.as_str(), *id))
    }
}

/// A name that a mailbox may have: levels separated by `/`, none empty, no control characters, INBOX in capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailboxName(String);

impl MailboxName {
    /// Reads a name. A trailing `/` only says that children are to come (RFC 9051 §6.3.4) and is dropped.
    pub(crate) fn parse(name: &str) -> Result<Self, MailError> {
        let name = name.strip_suffix('/').unwrap_or(name);
        if name.len() > MAX_MAILBOX_NAME_OCTETS {
            return Err(MailError::Limit("mailbox name too long"));
        }
        if name.split('/').count() > MAX_LEVELS {
            return Err(MailError::Limit("too many levels"));
        }
        if name.split('/').any(str::is_empty) || name.chars().any(char::is_control) {
            return Err(MailError::Cannot("not a mailbox name"));
        }
        let (first, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
        if first.eq_ignore_ascii_case("INBOX") {
            return Ok(Self(format!("INBOX{rest}")));
        }
        Ok(Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn leaf(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    pub(crate) fn levels(&self) -> usize {
        self.0.split('/').count()
    }

    /// The name and all names above it, from the top.
    pub(crate) fn path(&self) -> Vec<Self> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        ends.map(|end| Self(self.0[..end].to_owned())).collect()
    }

    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Trees of inboxes that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct TreeCache(Mutex<HashMap<InboxId, Arc<Tree>>>);

impl TreeCache {
    fn get(&self, inbox: InboxId, version: &[u8]) -> Option<Arc<Tree>> {
        let trees = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trees.get(&inbox).filter(|tree| tree.version == version).cloned()
    }

    fn put(&self, inbox: InboxId, tree: &Arc<Tree>) {
        let mut trees = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if trees.len() >= MAX_CACHED {
            trees.clear();
        }
        trees.insert(inbox, Arc::clone(tree));
    }
}

impl Mailstore {
    /// The tree as it is now.
    pub(crate) async fn tree(&self, inbox: InboxId) -> Result<Arc<Tree>, MailError> {
        let key = keys::tree(inbox);
        let mut attempts = Attempts::new();
        let mut version = self.store.get(&key).await?;
        loop {
            attempts.next().await?;
            let before = version.ok_or(MailError::NoSuchInbox(inbox))?;
            if let Some(tree) = self.trees.get(inbox, &before) {
                return Ok(tree);
            }
            let rows = self.mailbox_rows(inbox).await?;
            version = self.store.get(&key).await?;
            if version.as_ref() == Some(&before) {
                let tree = Arc::new(Tree::new(before, rows));
                self.trees.put(inbox, &tree);
                return Ok(tree);
            }
        }
    }

    async fn mailbox_rows(&self, inbox: InboxId) -> Result<BTreeMap<MailboxId, MailboxRow>, MailError> {
        let mut rows = BTreeMap::new();
        let mut scan = scan_prefix(&*self.store, &keys::mailboxes(inbox));
        while let Some((key, value)) = scan.next().await? {
            if let Some(id) = keys::trailing_id(&key) {
                rows.insert(MailboxId::from_bytes(id), MailboxRow::read(&value)?);
            }
        }
        Ok(rows)
    }

    /// The id of a mailbox by name.
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`]; the store's own.
    pub async fn mailbox_id(&self, inbox: InboxId, name: &str) -> Result<MailboxId, MailError> {
        let name = MailboxName::parse(name).map_err(|_| MailError::NoSuchMailbox)?;
        self.tree(inbox).await?.find(&name).ok_or(MailError::NoSuchMailbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let good = |text: &str| MailboxName::parse(text).unwrap().0;
        assert_eq!(good("inbox"), "INBOX");
        assert_eq!(good("iNbOx/a"), "INBOX/a");
        assert_eq!(good("inboxes"), "inboxes");
        assert_eq!(good("a/b/"), "a/b");
        assert_eq!(good("Entwürfe/日本"), "Entwürfe/日本");
        for bad in ["", "/", "a//b", "/a", "a\r", "a\0", &"x/".repeat(21), &"x".repeat(1001)] {
            assert!(MailboxName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths() {
        let name = MailboxName::parse("a/b/c").unwrap();
        let path: Vec<String> = name.path().into_iter().map(|name| name.0).collect();
        assert_eq!(path, ["a", "a/b", "a/b/c"]);
        assert_eq!((name.leaf(), name.levels()), ("c", 3));
        assert!(name.is_below(&MailboxName::parse("a").unwrap()));
        assert!(
            !MailboxName::parse("ab")
                .unwrap()
                .is_below(&MailboxName::parse("a").unwrap())
        );
    }
}
