//! STORE: changing flags.
//!
//! What always holds: a message whose flags do not change keeps its modseq, and a call that changes nothing writes
//! nothing.

use crate::FeedEvent;
use crate::attempts::{Attempts, Tried};
use crate::change::{Change, Delta};
use crate::labels::{Known, KnownPlacement};
use crate::once::OnceRow;
use crate::pieces::{Pieces, first_half};
use crate::relocate::distinct;
use crate::rows::{FlagsRow, InboxRow};
use crate::{FlagMode, FlagsAt, MailError, Mailstore, PIECE, Stored, keys};
use postroom_store::{CommitBuilder, Value};
use postroom_types::{EmailId, Flag, InboxId, MailboxId, MessageFlags, ModSeq, Uid};
use std::collections::BTreeSet;

/// Messages of one commit. Others wait while it is written, some 25 µs a message; and each sync of the disk is waited for.
/// Where messages have many placements, they may be fewer.
const COMMIT_PIECE: usize = 100;
/// Most keywords of one message.
const MAX_KEYWORDS: usize = 100;
/// Most octets of the keywords of one message together.
const MAX_KEYWORD_OCTETS: usize = 3000;

/// What STORE asks for.
struct FlagsChange<'a> {
    mode: FlagMode,
    flags: &'a MessageFlags,
    unchanged_since: Option<ModSeq>,
}

/// What came of a piece, or comes of it if a try was done.
struct Piece {
    stored: Stored,
    /// How many of the UIDs are done with.
    done: usize,
}

/// One flags row that changes.
pub(crate) struct Reflag {
    pub(crate) uid: Uid,
    pub(crate) old: Value,
    pub(crate) old_row: FlagsRow,
    pub(crate) new_row: FlagsRow,
}

impl Reflag {
    /// Whether labels are made of what changes.
    fn may_relabel(&self) -> bool {
        let (old, new) = (&self.old_row.flags, &self.new_row.flags);
        let differs = |flag| old.system.contains(flag) != new.system.contains(flag);
        let keywords = |flags: &MessageFlags| MessageFlags {
            keywords: flags.keywords.clone(),
            ..MessageFlags::default()
        };
        differs(Flag::Seen) || differs(Flag::Deleted) || !same(&keywords(old), &keywords(new))
    }
}

/// Tells what changes of flags make of the labels of these messages, and asks that no placement is added meanwhile.
pub(crate) fn tell_labels<'a>(
    change: &mut Change,
    inbox: InboxId,
    roles: &InboxRow,
    known: Vec<Known>,
    reflag_of: impl Fn(&KnownPlacement) -> Option<&'a Reflag>,
) {
    for message in known {
        let told = message.told(
            inbox,
            roles,
            |placed| {
                let flags = reflag_of(placed).map_or(&placed.flags.flags, |reflag| &reflag.new_row.flags);
                Some((placed.mailbox, flags.clone()))
            },
            &[],
        );
        told.add(change, message.email_id);
        let key = keys::message(inbox, message.email_id);
        change.builder.require(key, message.value);
    }
}

impl Mailstore {
    /// Changes flags of at most [`PIECE`] messages. With `unchanged_since`, only of those whose modseq is not above it;
    /// whether it is and the change are one (RFC 7162 §3.1.3).
    ///
    /// # Errors
    /// [`MailError::Limit`] (too many messages or keywords), [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`],
    /// [`MailError::Unavailable`] (some may be done); the store's own.
    pub async fn store_flags(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
        mode: FlagMode,
        flags: &MessageFlags,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, MailError> {
        if uids.len() > PIECE {
            return Err(MailError::Limit("too many messages"));
        }
        let change = FlagsChange {
            mode,
            flags,
            unchanged_since,
        };
        let mut stored = Stored::default();
        let uids = distinct(uids);
        let mut pieces = Pieces::new(&uids, COMMIT_PIECE);
        while let Some(piece) = pieces.piece() {
            let piece = self.store_piece(inbox, mailbox, piece, &change).await?;
            stored.now.extend(piece.stored.now);
            stored.modified.extend(piece.stored.modified);
            pieces.done(piece.done);
        }
        Ok(stored)
    }

    /// Changes as many of these as fit into one commit, from the first on.
    async fn store_piece(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        mut uids: &[Uid],
        asked: &FlagsChange<'_>,
    ) -> Result<Piece, MailError> {
        // A change that is done for whoever comes first must not take itself for somebody else's.
        let once = asked.unchanged_since.map(|_| keys::once(inbox, EmailId::new()));
        let mut tried: Vec<(Piece, Vec<Reflag>)> = Vec::new();
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            if let (Some(once), false) = (&once, tried.is_empty())
                && let Some(value) = self.store.get(once).await?
            {
                let OnceRow { number, attempt, .. } = OnceRow::read(&value)?;
                if attempt < tried.len() {
                    let (mut piece, reflags) = tried.swap_remove(attempt);
                    tell_new(&mut piece.stored.now, reflags, ModSeq(number));
                    return Ok(piece);
                }
            }
            let mut rows = self.flags_rows(inbox, mailbox, uids).await?;
            let mut stored = Stored::default();
            if let Some(since) = asked.unchanged_since {
                let modified = rows.extract_if(.., |(_, _, row)| row.modseq > since);
                stored.modified = modified.map(|(uid, ..)| uid).collect();
            }
            let reflags = plan(&rows, asked.mode, asked.flags)?;
            let now = rows.into_iter().map(|(uid, _, row)| (uid, row.flags, row.modseq));
            stored.now = now.collect();
            let done = uids.len();
            if reflags.is_empty() {
                return Ok(Piece { stored, done });
            }
            let Some(known) = self.relabelled(inbox, mailbox, &reflags).await? else {
                continue;
            };
            let mut change = Change::begin(CommitBuilder::new(), inbox, self.now());
            let modseq = change.modseq_operation();
            if !known.is_empty() {
                let roles = self.inbox_row(inbox).await?;
                tell_labels(&mut change, inbox, &roles, known, |placed| {
                    let found = reflags.binary_search_by_key(&placed.uid, |reflag| reflag.uid).ok();
                    found.filter(|_| placed.mailbox == mailbox).map(|at| &reflags[at])
                });
            }
            reflag(&mut change, mailbox, &reflags);
            if let Some(once) = &once {
                OnceRow::add(&mut change, once, self.now(), modseq, tried.len());
            }
            let changing: Vec<Uid> = reflags.iter().map(|reflag| reflag.uid).collect();
            if !change.fits()
                && let Some(half) = first_half(uids, &changing)
            {
                uids = half;
                attempts = Attempts::new();
                continue;
            }
            // After an unknown outcome the next look shows whether it was done: then nothing is left to change.
            match self.try_commit(change.finish().build()).await? {
                Tried::Done(receipt) => {
                    tell_new(&mut stored.now, reflags, ModSeq(receipt.numbers[modseq]));
                    return Ok(Piece { stored, done });
                }
                Tried::Conflict(_) => self.check_mailbox(inbox, mailbox).await?,
                Tried::Unknown => tried.push((Piece { stored, done }, reflags)),
            }
        }
    }

    /// The messages whose labels may become others by this; `None` if something changed meanwhile.
    async fn relabelled(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        reflags: &[Reflag],
    ) -> Result<Option<Vec<Known>>, MailError> {
        let relabelling = reflags.iter().filter(|reflag| reflag.may_relabel());
        let ids: BTreeSet<EmailId> = relabelling.map(|reflag| reflag.old_row.email_id).collect();
        if ids.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let Some(messages) = self.message_rows(inbox, &Vec::from_iter(ids)).await? else {
            return Ok(None);
        };
        let here = reflags
            .iter()
            .map(|reflag| (reflag.uid, reflag.old.clone(), reflag.old_row.clone()));
        let here: Vec<_> = here.collect();
        self.known_around(inbox, mailbox, &here, messages).await
    }

    /// Whether the mailbox is still there, after a conflict.
    pub(crate) async fn check_mailbox(&self, inbox: InboxId, mailbox: MailboxId) -> Result<(), MailError> {
        let keys = [keys::inbox_counters(inbox), keys::mailbox_counters(inbox, mailbox)];
        match self.store.get_many(&keys).await?.as_slice() {
            [None, ..] => Err(MailError::NoSuchInbox(inbox)),
            [_, None] => Err(MailError::NoSuchMailbox),
            _ => Ok(()),
        }
    }
}

fn tell_new(now: &mut [FlagsAt], reflags: Vec<Reflag>, modseq: ModSeq) {
    let mut reflags = reflags.into_iter().peekable();
    for (uid, flags, at) in now {
        if let Some(reflag) = reflags.next_if(|reflag| reflag.uid == *uid) {
            *flags = reflag.new_row.flags;
            *at = modseq;
        }
    }
}

/// The rows that change.
pub(crate) fn plan(
    rows: &[(Uid, Value, FlagsRow)],
    mode: FlagMode,
    flags: &MessageFlags,
) -> Result<Vec<Reflag>, MailError> {
    let mut reflags = Vec::new();
    for (uid, old, row) in rows {
        let changed = changed_flags(&row.flags, mode, flags)?;
        if same(&row.flags, &changed) {
            continue;
        }
        reflags.push(Reflag {
            uid: *uid,
            old: old.clone(),
            old_row: row.clone(),
            new_row: FlagsRow {
                flags: changed,
                ..row.clone()
            },
        });
    }
    Ok(reflags)
}

/// Adds changed rows to a commit; what it makes of labels is told elsewhere.
pub(crate) fn reflag(change: &mut Change, mailbox: MailboxId, reflags: &[Reflag]) {
    let mut delta = Delta::default();
    for reflag in reflags {
        change.put_flags(mailbox, reflag.uid, reflag.old.clone(), &reflag.new_row);
        delta.reflag(reflag.old_row.flags.system, reflag.new_row.flags.system);
    }
    change.count_mailbox(mailbox, delta);
    change.tell(FeedEvent::Flags {
        mailbox,
        uids: reflags.iter().map(|reflag| reflag.uid).collect(),
    });
}

fn changed_flags(old: &MessageFlags, mode: FlagMode, flags: &MessageFlags) -> Result<MessageFlags, MailError> {
    let mut new = match mode {
        FlagMode::Add | FlagMode::Remove => old.clone(),
        FlagMode::Replace => MessageFlags::default(),
    };
    match mode {
        FlagMode::Add | FlagMode::Replace => new.add(flags),
        FlagMode::Remove => new.remove(flags),
    }
    check_keywords(&new)?;
    Ok(new)
}

/// Whether a row can hold these keywords.
pub(crate) fn check_keywords(flags: &MessageFlags) -> Result<(), MailError> {
    let octets: usize = flags.keywords.iter().map(|keyword| keyword.as_str().len() + 2).sum();
    if flags.keywords.len() > MAX_KEYWORDS || octets > MAX_KEYWORD_OCTETS {
        return Err(MailError::Limit("too many keywords"));
    }
    Ok(())
}

/// Whether the sets are the same; the order of keywords is none.
pub(crate) fn same(a: &MessageFlags, b: &MessageFlags) -> bool {
    a.system == b.system
        && a.keywords.len() == b.keywords.len()
        && a.keywords.iter().all(|keyword| b.keywords.contains(keyword))
}
