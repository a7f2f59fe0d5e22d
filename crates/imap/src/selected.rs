//! The selected mailbox: opening it, changing it, and what others do to it.
//!
//! What always holds: everything up to the modseq `cursor` has been told, or was this session's own doing.

use crate::answer::Session;
use crate::fault::of_mail;
use postroom_imap_proto::{ChangeMode, Copied, Fault, FlagChange, FlagsNow, News, Selected};
use postroom_mailstore::{Changes, FlagMode, FlagsAt, MailError};
use postroom_types::{InboxId, Keyword, MailboxId, MessageFlags, ModSeq, Uid};

/// Labels of the API that are seen in other ways over IMAP; no keyword may be called so.
const SYSTEM_LABELS: [&str; 8] = [
    "sent",
    "received",
    "spam",
    "trash",
    "blocked",
    "draft",
    "unread",
    "unauthenticated",
];

/// A mailbox that is open in a session.
#[derive(Debug)]
pub(crate) struct SelectedMailbox {
    pub(crate) id: MailboxId,
    read_only: bool,
    /// All changes up to here were told.
    cursor: ModSeq,
    /// The highest UID told.
    last: Option<Uid>,
    /// Commits of this session above the cursor, which are no news to it.
    own: Vec<OwnChange>,
}

/// A change of flags by this session.
#[derive(Debug)]
struct OwnChange {
    modseq: ModSeq,
    /// Messages whose flags another session had changed before, which was not told yet.
    except: Vec<Uid>,
}

impl SelectedMailbox {
    /// Whether a change of flags was this session's own and nothing else.
    fn is_own(&self, uid: Uid, modseq: ModSeq) -> bool {
        self.own
            .iter()
            .any(|own| own.modseq == modseq && !own.except.contains(&uid))
    }

    /// Turns changes into news and counts them as told.
    fn news(&mut self, changes: Changes) -> News {
        let is_new = |uid: &Uid| self.last.is_none_or(|last| *uid > last);
        let appended: Vec<Uid> = changes.appended.into_iter().filter(is_new).collect();
        let told = |(uid, _, modseq): &FlagsAt| !is_new(uid) && !self.is_own(*uid, *modseq);
        let flags = changes.flags.into_iter().filter(told).map(flags_now).collect();
        self.last = appended.last().copied().or(self.last);
        self.cursor = changes.now;
        self.own.retain(|own| own.modseq > changes.now);
        News {
            appended,
            not_recent: Vec::new(),
            flags,
            expunged: changes.expunged,
            highest_modseq: Some(changes.highest_modseq),
            bye: None,
        }
    }
}

fn flags_now((uid, flags, modseq): FlagsAt) -> FlagsNow {
    FlagsNow { uid, flags, modseq }
}

impl Session {
    pub(crate) async fn select(&mut self, name: &str, read_only: bool) -> Result<Selected, Fault> {
        self.selected = None;
        let (inbox, mailbox) = self.find(name).await?;
        // Wake-ups are watched since login, so none between this and the next look is missed.
        let open = self
            .service
            .mailstore
            .open(inbox, mailbox)
            .await
            .map_err(|e| of_mail(&e))?;
        let recent_from = match read_only {
            true => self.service.recent.from(mailbox),
            false => self.service.recent.told(mailbox, open.uid_next),
        };
        self.selected = Some(SelectedMailbox {
            id: mailbox,
            read_only,
            cursor: open.modseq,
            last: open.uids.last().copied(),
            own: Vec::new(),
        });
        Ok(Selected {
            id: open.id,
            uid_validity: open.uid_validity,
            uid_next: open.uid_next,
            highest_modseq: open.highest_modseq,
            uids: open.uids,
            recent_from: Some(recent_from),
            first_unseen: open.first_unseen,
            keywords: open.keywords,
        })
    }

    /// The ids of the inbox and the selected mailbox.
    pub(crate) fn selected(&self) -> Result<(InboxId, MailboxId), Fault> {
        let selected = self.selected.as_ref().ok_or(Fault::Internal)?;
        Ok((self.inbox()?, selected.id))
    }

    /// What happened since it was last asked. A failing store is no news; the next look finds what this one did not.
    pub(crate) async fn poll(&mut self) -> Result<News, MailError> {
        let (Some(login), Some(selected)) = (&self.login, &mut self.selected) else {
            return Ok(News::default());
        };
        let looked = self
            .service
            .mailstore
            .changes_since(login.inbox.id, selected.id, selected.cursor)
            .await;
        let changes = match looked {
            Ok(changes) if changes.mailbox_gone => return Ok(goodbye("The mailbox was deleted")),
            Err(MailError::NoSuchInbox(_)) => return Ok(goodbye("The inbox was deleted")),
            other => other?,
        };
        let mut news = selected.news(changes);
        if let Some(last) = news.appended.last() {
            let below = Uid::new(last.get().saturating_add(1)).unwrap_or(*last);
            let recent_from = match selected.read_only {
                true => self.service.recent.from(selected.id),
                false => self.service.recent.told(selected.id, below),
            };
            let appended = news.appended.iter().copied();
            news.not_recent = appended.take_while(|uid| *uid < recent_from).collect();
        }
        Ok(news)
    }

    pub(crate) async fn store(&mut self, uids: &[Uid], change: &FlagChange) -> Result<Vec<FlagsNow>, Fault> {
        if change.mode != ChangeMode::Remove {
            Self::check_keywords(&change.flags)?;
        }
        let (_, now) = self.change_flags(uids, change).await?;
        Ok(now.into_iter().map(flags_now).collect())
    }

    /// Refuses keywords that would be taken for labels of ours.
    pub(crate) fn check_keywords(flags: &MessageFlags) -> Result<(), Fault> {
        let is_label = |keyword: &Keyword| {
            SYSTEM_LABELS
                .iter()
                .any(|label| keyword.as_str().eq_ignore_ascii_case(label))
        };
        if flags.keywords.iter().any(is_label) {
            Err(Fault::Cannot)
        } else {
            Ok(())
        }
    }

    /// Changes flags: as they were, and as they are now. What this alone has done is no news later.
    pub(crate) async fn change_flags(
        &mut self,
        uids: &[Uid],
        change: &FlagChange,
    ) -> Result<(Vec<FlagsAt>, Vec<FlagsAt>), Fault> {
        let (inbox, mailbox) = self.selected()?;
        let mailstore = &self.service.mailstore;
        let before = mailstore.flags(inbox, mailbox, uids).await.map_err(|e| of_mail(&e))?;
        let mode = match change.mode {
            ChangeMode::Add => FlagMode::Add,
            ChangeMode::Remove => FlagMode::Remove,
            ChangeMode::Replace => FlagMode::Replace,
        };
        let now = mailstore
            .store_flags(inbox, mailbox, uids, mode, &change.flags)
            .await
            .map_err(|e| of_mail(&e))?;
        if let Some(selected) = &mut self.selected {
            selected.remember_own(&before, &now, change);
        }
        Ok((before, now))
    }

    pub(crate) async fn copy(&self, uids: &[Uid], to: &str) -> Result<Copied, Fault> {
        let (inbox, mailbox) = self.selected()?;
        let (_, target) = self.find(to).await?;
        let copied = self
            .service
            .mailstore
            .copy(inbox, mailbox, uids, target)
            .await
            .map_err(|e| of_mail(&e))?;
        Ok(Copied {
            uid_validity: copied.uid_validity,
            pairs: copied.pairs,
        })
    }

    pub(crate) async fn move_messages(&self, uids: &[Uid], to: &str) -> Result<Copied, Fault> {
        let (inbox, mailbox) = self.selected()?;
        let (_, target) = self.find(to).await?;
        let moved = self.service.mailstore.move_messages(inbox, mailbox, uids, target).await;
        let moved = moved.map_err(|e| of_mail(&e))?;
        Ok(Copied {
            uid_validity: moved.uid_validity,
            pairs: moved.pairs,
        })
    }

    pub(crate) async fn expunge(&self, uids: &[Uid]) -> Result<(), Fault> {
        let (inbox, mailbox) = self.selected()?;
        let expunged = self.service.mailstore.expunge(inbox, mailbox, uids, true).await;
        expunged.map(|_| ()).map_err(|e| of_mail(&e))
    }
}

impl SelectedMailbox {
    /// One call is one commit, and its modseq is the highest it returned, if it changed anything. A message counts as
    /// changed by this session alone if its flags were known to the client and became what the change makes of them.
    fn remember_own(&mut self, before: &[FlagsAt], now: &[FlagsAt], change: &FlagChange) {
        let Some(modseq) = now.iter().map(|(.., modseq)| *modseq).max() else {
            return;
        };
        if modseq <= self.cursor {
            return;
        }
        let mut except = Vec::new();
        for (uid, flags, _) in now.iter().filter(|(.., at)| *at == modseq) {
            let was = before
                .binary_search_by_key(uid, |(uid, ..)| *uid)
                .ok()
                .map(|index| &before[index]);
            let alone = was.is_some_and(|(_, old, at)| {
                (*at <= self.cursor || self.is_own(*uid, *at)) && *at != modseq && same(&applied(old, change), flags)
            });
            if !alone {
                except.push(*uid);
            }
        }
        self.own.push(OwnChange { modseq, except });
    }
}

fn applied(old: &MessageFlags, change: &FlagChange) -> MessageFlags {
    let mut flags = old.clone();
    match change.mode {
        ChangeMode::Add => flags.add(&change.flags),
        ChangeMode::Remove => flags.remove(&change.flags),
        ChangeMode::Replace => flags = change.flags.clone(),
    }
    flags
}

fn same(a: &MessageFlags, b: &MessageFlags) -> bool {
    a.system == b.system
        && a.keywords.len() == b.keywords.len()
        && a.keywords.iter().all(|keyword| b.keywords.contains(keyword))
}

/// The session has to end.
pub(crate) fn goodbye(text: &'static str) -> News {
    News {
        bye: Some(text),
        ..News::default()
    }
}
